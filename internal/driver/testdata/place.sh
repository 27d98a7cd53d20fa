# A target for tests of the exec driver: a folder. Called with what to do, the
# folder, and for orders the release and the fence. A file "mode" in the folder
# makes it misbehave.
set -uf
what=$1 dir=$2
mode=$(cat "$dir/mode" 2>/dev/null || true)
case $mode in
slow) sleep 60 ;;
fail) [ "$what" = validate ] && exit 0; echo "disk on fire" >&2; exit 1 ;;
esac
case $what in
observe)
	case $mode in
	silent) exit 0 ;;
	chatter) printf 'cannot open file: no such thing\n'; exit 0 ;;
	flood) yes | head -c 200000; exit 0 ;;
	negative) printf '1.0\nfence=-1\n'; exit 0 ;;
	nonsense) printf '1.0\nfnece=4\n'; exit 0 ;;
	control) printf '1.0\033[31m\n'; exit 0 ;;
	esac
	set -- $(cat "$dir/state" 2>/dev/null || echo 0)
	printf '%s\nfence=%s\n' "${2-}" "$1"
	[ "$mode" = cut ] && kill -KILL $$
	[ "$mode" = dead ] && printf 'alive=false\ndetail=it \033[31mcrashed\n'
	exit 0
	;;
apply)
	release=$3 fence=$4
	printf '%s\n' "$#" "$release" "$fence" >"$dir/args"
	env >"$dir/env"
	[ "$mode" = refuse ] && { echo "line one"; echo "not for me"; exit 65; }
	newest=$(cut -d ' ' -f 1 "$dir/state" 2>/dev/null || echo 0)
	[ "$fence" -lt "${newest:-0}" ] && { echo "too old"; exit 79; }
	# Both at once or neither: a crash leaves the old file as it is.
	next=$dir/state.new
	[ "$mode" = full ] && next=/dev/full
	printf '%s %s\n' "$fence" "$release" >"$next" || exit 1
	[ "$mode" = half ] && kill -KILL $$
	mv "$next" "$dir/state"
	case $mode in crash | cut) kill -KILL $$ ;; esac
	;;
prepare)
	[ "$mode" = refuse ] && { echo "line one"; echo "not for me"; exit 65; }
	[ "$mode" = half ] && kill -KILL $$
	printf '%s\n' "$3" >"$dir/prepared"
	;;
validate)
	case $3 in *bad*) echo "config is wrong" >&2; exit 3 ;; esac
	;;
esac
