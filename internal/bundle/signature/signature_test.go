package signature_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
)

var (
	release = "sha256:" + strings.Repeat("a", 64)
	other   = "sha256:" + strings.Repeat("b", 64)
)

func signer(t testing.TB) signature.Signer {
	t.Helper()
	_, file, err := signature.Generate()
	require.NoError(t, err)
	s, err := signature.ParseSigner(file, "")
	require.NoError(t, err)
	return s
}

func verify(unit, release string, data []byte, keys []signature.Key) error {
	_, err := signature.Verify(unit, release, data, keys)
	return err
}

func sign(t *testing.T, s signature.Signer, unit, release string) []byte {
	t.Helper()
	data, err := s.Sign(unit, release)
	require.NoError(t, err)
	return data
}

func TestText(t *testing.T) {
	text, err := signature.Text("features", release)
	require.NoError(t, err)
	require.Equal(t, "sluice bundle v1\nunit: features\nrelease: "+release+"\n", string(text))
	for _, unit := range []string{"", "a\nrelease: " + other, "A", "a b", "-a", strings.Repeat("a", 65)} {
		_, err := signature.Text(unit, release)
		require.ErrorContains(t, err, "is not a unit")
	}
	_, err = signature.Text("a", "v1")
	require.ErrorContains(t, err, "is not the name of a bundle")
}

func TestVerify(t *testing.T) {
	now, next, foreign := signer(t), signer(t), signer(t)
	keys := []signature.Key{now.Key(), next.Key()}
	good := sign(t, now, "features", release)
	require.Equal(t, good, sign(t, now, "features", release), "the same each time")
	require.NoError(t, verify("features", release, good, keys))
	by, err := signature.Verify("features", release, sign(t, next, "features", release), keys)
	require.NoError(t, err)
	require.Equal(t, next.Key(), by)
	require.NoError(t, verify("features", release, sign(t, next, "features", release), keys[1:]), "once the old one is gone")

	for name, c := range map[string]struct {
		unit, release string
		signature     []byte
		keys          []signature.Key
		want          string
	}{
		"another release": {"features", other, good, keys, "the signature by key " + now.Key().ID() + " is not over release " + other + " of unit features"},
		"another unit":    {"flags", release, good, keys, "is not over release " + release + " of unit flags"},
		"a foreign key":   {"features", release, sign(t, foreign, "features", release), keys, "the signature is by key " + foreign.Key().ID() + ", expected " + now.Key().ID() + " or " + next.Key().ID()},
		"the old key":     {"features", release, good, keys[1:], "the signature is by key " + now.Key().ID()},
		"no signature":    {"features", release, nil, keys, "not a signature of minisign"},
		"endless":         {"features", release, append(good, make([]byte, 8<<10)...), keys, "not a signature of minisign"},
		"trusted comment": {"features", release, []byte(strings.Replace(string(good), "unit: features", "unit: others", 1)), keys, "is not over"},
		"no keys":         {"features", release, good, nil, "0 public keys, expected one or two"},
		"three keys":      {"features", release, good, append(keys, foreign.Key()), "3 public keys, expected one or two"},
		"an empty key":    {"features", release, good, []signature.Key{{}}, "an empty public key"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, verify(c.unit, c.release, c.signature, c.keys), c.want)
		})
	}
	for i := range good {
		unused := i+1 < len(good) && good[i+1] == '=' // the last bits of base64
		if good[i] == '\n' || unused || i < len("untrusted comment: signature of a sluice bundle by key 0123456789ABCDEF") {
			continue
		}
		bad := append([]byte{}, good...)
		bad[i] ^= 1
		require.Error(t, verify("features", release, bad, keys), "byte %d", i)
	}
}

func TestKeys(t *testing.T) {
	s := signer(t)
	file := "untrusted comment: minisign public key\n" + s.Key().String() + "\n"
	for _, text := range []string{s.Key().String(), file, " " + s.Key().String() + "\n"} {
		k, err := signature.ParseKey(text)
		require.NoError(t, err)
		require.Equal(t, s.Key().ID(), k.ID())
	}
	for _, text := range []string{"", "RW", "x\ny", strings.Repeat("R", 5000)} {
		_, err := signature.ParseKey(text)
		require.Error(t, err)
	}
}

// lockedKey is a private key under the password hunter2, with 16 MiB for scrypt in place of the 1
// GiB that minisign takes.
const lockedKey = `untrusted comment: minisign encrypted secret key
RWRTY0Iy5QzwvrvD4hOzrxtinuQLy2trN+D3SMSqhV5dpZE5qhoAAAgAAAAAAAAAAAEAAAAA8ReWb2tN19ciEOGLOlyJLz0j/5ZuvBUabBg/0SKOBJsBSob+kOBE292X3zCuLYgTzidlCYcOCyAioN2URKDKeqeFdZmWVEthDOCSWXcT2MLXcf/jzydSsAyyk9V4hjWR+rynypab/4Q=
`

func TestSignerKeys(t *testing.T) {
	locked := []byte(lockedKey)
	require.True(t, signature.IsEncrypted(locked))
	s, err := signature.ParseSigner(locked, "hunter2")
	require.NoError(t, err)
	require.NoError(t, verify("a", release, sign(t, s, "a", release), []signature.Key{s.Key()}))
	_, err = signature.ParseSigner(locked, "swordfish")
	require.EqualError(t, err, "the password is wrong, or the file is damaged")
	for _, file := range []string{"", "RWQ", "untrusted comment: x\nAAAA\n"} {
		_, err := signature.ParseSigner([]byte(file), "")
		require.ErrorContains(t, err, "not the file of a minisign private key")
	}
}

// Debian's minisign verifies what is signed here, and signs what is verified here.
func TestDebiansMinisign(t *testing.T) {
	if _, err := exec.LookPath("minisign"); err != nil {
		require.Empty(t, os.Getenv("SLUICE_REQUIRE_E2E"), err)
		t.Skip("Debian's minisign is not installed")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	tool := func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "minisign", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(in(name))
		require.NoError(t, err)
		return data
	}
	tool("-G", "-W", "-p", in("k.pub"), "-s", in("k.sec"))
	key, err := signature.ParseKey(string(read("k.pub")))
	require.NoError(t, err)
	s, err := signature.ParseSigner(read("k.sec"), "")
	require.NoError(t, err)
	require.Equal(t, key.ID(), s.Key().ID())

	text, err := signature.Text("features", release)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(in("text"), text, 0o600))
	for _, form := range [][]string{nil, {"-l"}} {
		tool(append([]string{"-S", "-s", in("k.sec"), "-m", in("text")}, form...)...)
		require.NoError(t, verify("features", release, read("text.minisig"), []signature.Key{key}))
		require.ErrorIs(t, verify("features", other, read("text.minisig"), []signature.Key{key}), signature.ErrUnsigned)
	}
	require.NoError(t, os.WriteFile(in("text.minisig"), sign(t, s, "features", release), 0o600))
	tool("-V", "-H", "-p", in("k.pub"), "-m", in("text"))
}

// What may be for the unit goes with its bundle, the newest first, as far as there is room.
func TestCandidates(t *testing.T) {
	s := signer(t)
	attached := func(all ...[]byte) (out []bundle.Attachment) {
		for _, data := range all {
			out = append(out, bundle.Attachment{Type: signature.MediaType, Data: data})
		}
		return out
	}
	mine, others := sign(t, s, "features", release), sign(t, s, "flags", release)
	text, err := signature.Text("features", release)
	require.NoError(t, err)
	elsewhere, err := s.SignText(text, "timestamp:1", "by hand")
	require.NoError(t, err)
	require.Equal(t, [][]byte{elsewhere, mine}, signature.Candidates("features", attached(others, mine, []byte("none"), elsewhere, others)))
	require.Empty(t, signature.Candidates("features", nil))
	many := signature.Candidates("features", attached(slices.Repeat([][]byte{mine}, 100)...))
	require.Less(t, len(bytes.Join(many, nil)), 8<<10)
	require.Greater(t, len(many), 10)
	long, err := s.SignText(text, strings.Repeat("x", 9<<10), "too long")
	require.NoError(t, err)
	require.Equal(t, [][]byte{mine}, signature.Candidates("features", attached(mine, long)))
}

func FuzzVerify(f *testing.F) {
	s := signer(f)
	good, err := s.Sign("features", release)
	require.NoError(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		require.Error(t, verify("features", other, data, []signature.Key{s.Key()}))
	})
}
