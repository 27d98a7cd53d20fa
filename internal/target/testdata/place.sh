# A target for tests of the exec driver: a folder. Called with what to do, the
# folder, and for orders the release and the fence. A file "mode" in the folder
# makes it misbehave.
set -u
what=$1 dir=$2
mode=$(cat "$dir/mode" 2>/dev/null || true)
case $mode in
slow) sleep 60 ;;
fail) [ "$what" = validate ] && exit 0; echo "disk on fire" >&2; exit 1 ;;
esac
read_or() { cat "$dir/$1" 2>/dev/null || echo "$2"; }
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
	printf '%s\nfence=%s\n' "$(read_or release '')" "$(read_or fence 0)"
	[ "$mode" = dead ] && printf 'alive=false\ndetail=it \033[31mcrashed\n'
	exit 0
	;;
apply)
	release=$3 fence=$4
	printf '%s\n' "$#" "$release" "$fence" >"$dir/args"
	env >"$dir/env"
	[ "$mode" = refuse ] && { echo "line one"; echo "not for me"; exit 65; }
	[ "$fence" -lt "$(read_or fence 0)" ] && { echo "too old"; exit 79; }
	printf '%s' "$release" >"$dir/release"
	printf '%s' "$fence" >"$dir/fence"
	;;
validate)
	case $3 in *bad*) echo "config is wrong" >&2; exit 3 ;; esac
	;;
esac
