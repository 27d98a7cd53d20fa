package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle/signature"
)

// keyPair writes a private key, and answers its file, the public key and its id.
func keyPair(t *testing.T) (file, public, id string) {
	t.Helper()
	s, text, err := signature.Generate()
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "minisign.key")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file, s.Key().String(), s.Key().ID()
}

// A signature goes with its bundle from store to registry to store, and stands for one unit.
func TestBundleSign(t *testing.T) {
	dir, place := features(t, ""), aRegistry(t)+"/team/features"
	kept, other := filepath.Join(dir, "store"), filepath.Join(dir, "other")
	digest, _ := pushedFeatures(t, dir, place)
	key, public, id := keyPair(t)
	_, foreign, _ := keyPair(t)
	publicFile := filepath.Join(dir, "key.pub")
	require.NoError(t, os.WriteFile(publicFile, []byte("untrusted comment: minisign public key\n"+public+"\n"), 0o600))

	verify := func(folder string, args ...string) ran {
		return sluice(t, "", append([]string{"bundle", "verify", digest, "--store", folder}, args...)...)
	}
	r := verify(kept, "--unit", "features", "--public-key", public)
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "there is no signature")

	r = sluice(t, "", "bundle", "sign", digest, "--unit", "features", "--key", key, "--store", kept)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, "signed: unit features, by key "+id+"\n", r.out)
	r = sluice(t, "", "bundle", "push", digest, place, "--store", kept, "-o", "json")
	require.Equal(t, exitOK, r.code, r.errOut)
	var got moved
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.Equal(t, 1, got.Signatures)
	require.Equal(t, exitOK, sluice(t, "", "bundle", "pull", got.Reference, "--store", other).code)

	for name, args := range map[string][]string{"the key": {public}, "its file": {publicFile}, "two keys": {foreign, public}} {
		t.Run(name, func(t *testing.T) {
			line := []string{"--unit", "features"}
			for _, a := range args {
				line = append(line, "--public-key", a)
			}
			r := verify(other, line...)
			require.Equal(t, exitOK, r.code, r.errOut)
			require.Contains(t, r.out, "signed: unit features, by key "+id)
		})
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a foreign key": {[]string{"--unit", "features", "--public-key", foreign}, "the signature is by key " + id},
		"another unit":  {[]string{"--unit", "flags", "--public-key", public}, "is not over release " + digest + " of unit flags"},
		"no unit":       {[]string{"--public-key", public}, "--unit and --public-key go together"},
		"no key":        {[]string{"--unit", "features"}, "--unit and --public-key go together"},
		"three keys":    {[]string{"--unit", "features", "--public-key", public, "--public-key", public, "--public-key", public}, "3 public keys, expected one or two"},
		"not a key":     {[]string{"--unit", "features", "--public-key", "RWnonsense"}, "not a minisign public key"},
		"no such file":  {[]string{"--unit", "features", "--public-key", "./none.pub"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := verify(other, c.args...)
			require.Equal(t, exitInvalid, r.code)
			require.Contains(t, r.errOut, c.want)
			require.Empty(t, r.out)
		})
	}
}

func TestBundleSignMistakes(t *testing.T) {
	dir := features(t, "")
	kept := filepath.Join(dir, "store")
	digest := strings.TrimSpace(sluice(t, "", "bundle", "build", filepath.Join(dir, "features"), "--store", kept).out)
	key, _, _ := keyPair(t)
	locked := filepath.Join(dir, "locked.key")
	require.NoError(t, os.WriteFile(locked, []byte("untrusted comment: minisign encrypted secret key\nRWRTY0Iy"+strings.Repeat("A", 204)+"\n"), 0o600))
	t.Setenv("SIGN_PASSWORD", "hunter2")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no unit":          {[]string{digest, "--key", key}, `"" is not a unit`},
		"no digest":        {[]string{"v1", "--unit", "a", "--key", key}, `"v1" is not the name of a bundle`},
		"no key":           {[]string{digest, "--unit", "a"}, "needs one of --key FILE and --signature FILE"},
		"both":             {[]string{digest, "--unit", "a", "--key", key, "--signature", key}, "needs one of --key FILE and --signature FILE"},
		"no such key":      {[]string{digest, "--unit", "a", "--key", key + "x"}, "no such file"},
		"not a key":        {[]string{digest, "--unit", "a", "--key", filepath.Join(dir, "spec.yaml")}, "not the file of a minisign private key"},
		"not a signature":  {[]string{digest, "--unit", "a", "--signature", key}, "it is not a signature of minisign"},
		"not kept":         {[]string{"sha256:" + strings.Repeat("0", 64), "--unit", "a", "--key", key}, "is not in the store"},
		"password":         {[]string{digest, "--unit", "a", "--key", locked}, "has a password: give it with --key-password"},
		"wrong password":   {[]string{digest, "--unit", "a", "--key", locked, "--key-password", "${env:SIGN_PASSWORD}"}, "the password is wrong"},
		"written password": {[]string{digest, "--unit", "a", "--key", locked, "--key-password", "hunter2"}, "not a reference to a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sluice(t, "", append([]string{"bundle", "sign", "--store", kept}, c.args...)...)
			require.Equal(t, exitInvalid, r.code)
			require.Contains(t, r.errOut, c.want)
			require.NotContains(t, r.errOut, "hunter2")
			require.Empty(t, r.out)
		})
	}
	index, err := os.ReadFile(filepath.Join(kept, "index.json"))
	require.NoError(t, err)
	require.NotContains(t, string(index), signature.MediaType)
}
