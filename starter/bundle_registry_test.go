package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fake "github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"
)

// aRegistry is a registry in this process; it answers where.
func aRegistry(t *testing.T) string {
	t.Helper()
	return strings.TrimPrefix(startRegistry(t).URL, "http://")
}

func startRegistry(t *testing.T) *httptest.Server {
	t.Helper()
	h := httptest.NewServer(fake.New(fake.Logger(log.New(io.Discard, "", 0)), fake.WithReferrersSupport(true)))
	t.Cleanup(h.Close)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	return h
}

// pushedFeatures builds and pushes a bundle.
func pushedFeatures(t *testing.T, dir, place string) (digest, reference string) {
	t.Helper()
	kept := filepath.Join(dir, "store")
	built := sluice(t, "", "bundle", "build", filepath.Join(dir, "features"), "--store", kept)
	require.Equal(t, exitOK, built.code, built.errOut)
	digest = strings.TrimSpace(built.out)
	r := sluice(t, "", "bundle", "push", digest, place, "--store", kept)
	require.Equal(t, exitOK, r.code, r.errOut)
	return digest, strings.TrimSpace(r.out)
}

func TestBundlePushAndPull(t *testing.T) {
	for name, place := range map[string]string{"registry": aRegistry(t) + "/team/features", "layout": "oci:" + filepath.Join(t.TempDir(), "layout")} {
		t.Run(name, func(t *testing.T) {
			dir := features(t, "")
			digest, reference := pushedFeatures(t, dir, place)
			require.True(t, strings.HasPrefix(reference, place+"@sha256:"), reference)
			other := filepath.Join(dir, "other")
			r := sluice(t, "", "bundle", "pull", reference, "--store", other)
			require.Equal(t, exitOK, r.code, r.errOut)
			require.Equal(t, digest+"\n", r.out)
			require.Equal(t, exitOK, sluice(t, "", "bundle", "verify", digest, "--store", other).code)
			r = sluice(t, "", "bundle", "pull", reference, "--store", other, "-o", "json")
			var got moved
			require.NoError(t, json.Unmarshal([]byte(r.out), &got))
			require.Equal(t, moved{Digest: digest, Reference: reference}, got)
		})
	}
}

func TestBundlePushAndPullMistakes(t *testing.T) {
	dir, place := features(t, ""), aRegistry(t)+"/team/features"
	digest, reference := pushedFeatures(t, dir, place)
	kept, none := filepath.Join(dir, "store"), filepath.Join(dir, "none")
	zero := "sha256:" + strings.Repeat("0", 64)
	away := nowhere(t) + "/team/features@" + zero
	for name, c := range map[string]struct {
		args []string
		want string
		code int
	}{
		"one argument":       {[]string{"push", digest}, "bundle push needs DIGEST REF", exitInvalid},
		"three":              {[]string{"push", digest, place, "x"}, `unexpected argument "x"`, exitInvalid},
		"a tag":              {[]string{"push", digest, place + ":v1", "--store", kept}, `REF has the tag "v1", which can be moved`, exitInvalid},
		"a digest":           {[]string{"push", digest, reference, "--store", kept}, "REF has a digest, which the bundle has already", exitInvalid},
		"not kept":           {[]string{"push", zero, place, "--store", kept}, zero + " is not in the store", exitInvalid},
		"a folder":           {[]string{"push", "./features", place, "--store", kept}, "is not the name of a bundle", exitInvalid},
		"pull a tag":         {[]string{"pull", place + ":v1", "--store", none}, `REF has the tag "v1"`, exitInvalid},
		"pull without":       {[]string{"pull", place, "--store", none}, "names no bundle, expected @sha256:…", exitInvalid},
		"pull to nowhere":    {[]string{"pull", reference}, "name it with --store FOLDER, or in SLUICE_STORE", exitInvalid},
		"not there":          {[]string{"pull", place + "@" + zero, "--store", none}, "it does not have it", exitInvalid},
		"nobody there":       {[]string{"pull", away, "--store", none}, "connection refused", exitInternal},
		"password written":   {[]string{"pull", reference, "--store", none, "--registry-user", "ann", "--registry-password", "hunter2"}, "not a reference to a secret", exitInvalid},
		"user alone":         {[]string{"pull", reference, "--store", none, "--registry-user", "ann"}, "not a reference to a secret", exitInvalid},
		"layout not a store": {[]string{"pull", "oci:" + none + "@" + zero, "--store", none}, "not in the store", exitInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r := sluice(t, "", append([]string{"bundle"}, c.args...)...)
			require.Equal(t, c.code, r.code, r.errOut)
			require.Contains(t, r.errOut, c.want)
			require.NotContains(t, r.errOut, "hunter2")
			require.Empty(t, r.out)
		})
	}
	require.NoDirExists(t, none)
}

// While the registry is away, a bundle that was pulled before can be started, unless it is damaged.
func TestStartWithoutTheRegistry(t *testing.T) {
	dir, s := features(t, ""), startRegistry(t)
	digest, reference := pushedFeatures(t, dir, strings.TrimPrefix(s.URL, "http://")+"/team/features")
	spec, kept := filepath.Join(dir, "spec.yaml"), filepath.Join(dir, "workers")
	require.NoError(t, os.WriteFile(spec, []byte(strings.ReplaceAll(featuresSpec, "RELEASE", "bundle: "+reference)), 0o600))
	text, err := os.ReadFile(spec)
	require.NoError(t, err)
	start := func() error {
		l, err := loadText(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), spec, text, puller{store: kept})
		if err != nil {
			return err
		}
		require.Equal(t, digest, l.spec.Release)
		_, err = submission(t.Context(), l, "ann", kept)
		return err
	}
	require.NoError(t, start())
	s.Close()
	require.NoError(t, start())
	require.Equal(t, exitOK, sluice(t, "", "bundle", "verify", digest, "--store", kept).code)
	require.Equal(t, exitInternal, sluice(t, "", "bundle", "pull", reference, "--store", kept).code, "it was not pulled")

	var view bundleView
	require.NoError(t, json.Unmarshal([]byte(sluice(t, "", "bundle", "inspect", digest, "--store", kept, "-o", "json").out), &view))
	archive := filepath.Join(kept, "blobs", "sha256", strings.TrimPrefix(view.Archive.Digest, "sha256:"))
	for _, damage := range []func() error{
		func() error { return os.WriteFile(archive, []byte("x"), 0o600) },
		func() error { return os.Remove(archive) },
	} {
		require.NoError(t, damage())
		require.ErrorContains(t, start(), "is it up, and can it be reached from here?")
	}
}

// A spec that names a bundle elsewhere has its release, and keeps it before anything starts.
func TestSpecWithReference(t *testing.T) {
	for name, place := range map[string]string{"registry": aRegistry(t) + "/team/features", "layout": "oci:./layout"} {
		t.Run(name, func(t *testing.T) {
			dir := features(t, "bundle: REFERENCE")
			if name == "layout" {
				place = "oci:" + filepath.Join(dir, "layout")
			}
			digest, reference := pushedFeatures(t, dir, place)
			spec := filepath.Join(dir, "spec.yaml")
			write := func(reference string) {
				text := strings.ReplaceAll(strings.ReplaceAll(featuresSpec, "RELEASE", "bundle: REFERENCE"), "REFERENCE", reference)
				require.NoError(t, os.WriteFile(spec, []byte(text), 0o600))
			}
			write(strings.Replace(reference, dir, ".", 1)) // relative to the spec's folder
			for _, command := range []string{"validate", "plan"} {
				r := sluice(t, "", command, spec, "-o", "json")
				require.Equal(t, exitOK, r.code, r.errOut)
				require.Contains(t, r.out, digest)
			}
			kept := filepath.Join(dir, "workers")
			r := sluice(t, "", "start", spec, "--by", "ann", "--store", kept, "--address", nowhere(t))
			require.Equal(t, exitInternal, r.code, r.errOut) // no Temporal, and so nobody to start it for
			require.NoDirExists(t, kept)
			text, err := os.ReadFile(spec)
			require.NoError(t, err)
			l, err := loadText(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), spec, text, puller{})
			require.NoError(t, err)
			_, err = submission(t.Context(), l, "ann", kept)
			require.NoError(t, err)
			require.Equal(t, exitOK, sluice(t, "", "bundle", "verify", digest, "--store", kept).code)
			r = sluice(t, "", "start", spec, "--by", "ann", "--address", nowhere(t))
			require.Equal(t, exitInvalid, r.code)
			require.Contains(t, r.errOut, "name their store with --store FOLDER")

			none := filepath.Join(dir, "none")
			at, _, _ := strings.Cut(reference, "@")
			for reference, want := range map[string]string{
				at + "@sha256:" + strings.Repeat("0", 64): "spec.yaml:2:9: bundle: ",
				at + "@v1":                     `spec.yaml:2:9: bundle: has "v1" after @`,
				"localhost:1/team/features:v1": `spec.yaml:2:9: bundle: has the tag "v1"`,
			} {
				write(reference)
				r := sluice(t, "", "start", spec, "--by", "ann", "--store", none, "--address", nowhere(t))
				require.Equal(t, exitInvalid, r.code, r.errOut)
				require.Contains(t, r.errOut, want)
				require.NoDirExists(t, none)
			}
			write("localhost:1/team/features@sha256:" + strings.Repeat("0", 64))
			r = sluice(t, "", "validate", spec)
			require.Equal(t, exitInternal, r.code)
			require.Contains(t, r.errOut, "is it up, and can it be reached from here?")
		})
	}
}
