package registry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/registry"
	"github.com/sluicehq/sluice/internal/store"
)

const noteType = "application/vnd.sluice.test.note"

// server is a registry in this process. Every request goes through before, which may answer it.
type server struct {
	host   string
	before func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T, referrers bool) *server {
	t.Helper()
	s := &server{}
	quiet := fake.Logger(log.New(io.Discard, "", 0))
	inner := fake.New(quiet, fake.WithReferrersSupport(referrers))
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.before == nil || !s.before(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	s.host = strings.TrimPrefix(h.URL, "http://")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	return s
}

func kept(t *testing.T) bundle.Kept {
	t.Helper()
	s, err := store.Dir(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	return bundle.Kept{Store: s}
}

func built(t *testing.T, files map[string]string) (bundle.Kept, bundle.Bundle) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	k := kept(t)
	b, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	return k, b
}

func features(t *testing.T) (bundle.Kept, bundle.Bundle) {
	t.Helper()
	return built(t, map[string]string{"a.json": `{"on": true}`, "rules/eu.js": "1", "large": strings.Repeat("x", 100_000)})
}

func parse(t *testing.T, text string) registry.Reference {
	t.Helper()
	ref, err := registry.Parse(text)
	require.NoError(t, err)
	return ref
}

// pushed is a registry with a bundle in it, and where that is.
func pushed(t *testing.T) (*server, bundle.Bundle, registry.Reference) {
	t.Helper()
	s := serve(t, true)
	k, b := features(t)
	ref, _, err := registry.Access{}.Push(t.Context(), parse(t, s.host+"/team/features"), k, b, noteType)
	require.NoError(t, err)
	return s, b, ref
}

// empty says that nothing is kept.
func empty(t *testing.T, k bundle.Kept) {
	t.Helper()
	err := filepath.WalkDir(k.Store.Folder(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			require.Fail(t, "kept", path)
		}
		return nil
	})
	require.NoError(t, err)
}

func whole(t *testing.T, k bundle.Kept, b bundle.Bundle) {
	t.Helper()
	got, err := k.Get(t.Context(), b.Release())
	require.NoError(t, err)
	archive, err := k.Open(t.Context(), got)
	require.NoError(t, err)
	require.NoError(t, got.VerifyArchive(archive))
	require.NoError(t, archive.Close())
}

// Somebody who has the release at hand, and not its manifest, is told the right reference.
func TestReleaseInPlaceOfTheManifest(t *testing.T) {
	_, b, ref := pushed(t)
	k, _ := features(t)
	folder, _, err := registry.Access{}.Push(t.Context(), parse(t, "oci:"+filepath.Join(t.TempDir(), "layout")), k, b, noteType)
	require.NoError(t, err)
	for _, right := range []registry.Reference{ref, folder} {
		wrong := right
		wrong.Manifest = b.Release()
		into := kept(t)
		_, _, err := registry.Access{}.Pull(t.Context(), wrong, into, noteType)
		require.ErrorIs(t, err, bundle.ErrInvalid)
		require.ErrorContains(t, err, "has the digest of the release, expected that of its manifest: "+right.String())
		empty(t, into)
		wrong.Manifest = b.Archive.Digest
		_, _, err = registry.Access{}.Pull(t.Context(), wrong, into, noteType)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "has the digest of the release")
	}
}

func TestThereAndBack(t *testing.T) {
	s, b, ref := pushed(t)
	require.Equal(t, s.host+"/team/features@"+bundle.Digest(b.Manifest()), ref.String())

	table, err := registry.Access{}.Table(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, b, table)
	k := kept(t)
	got, _, err := registry.Access{}.Pull(t.Context(), parse(t, ref.String()), k, noteType)
	require.NoError(t, err)
	require.Equal(t, b, got)
	whole(t, k, b)

	methods := map[string]int{} // a second push sends nothing
	s.before = func(_ http.ResponseWriter, r *http.Request) bool { methods[r.Method]++; return false }
	again, _, err := registry.Access{}.Push(t.Context(), parse(t, s.host+"/team/features"), k, b, noteType)
	require.NoError(t, err)
	require.Equal(t, ref, again)
	require.Equal(t, map[string]int{"HEAD": 3}, methods)
}

// Another implementation reads what was pushed, by digest, and finds no tag.
func TestAnotherImplementationPulls(t *testing.T) {
	s, b, ref := pushed(t)
	repo, err := remote.NewRepository(s.host + "/team/features")
	require.NoError(t, err)
	repo.PlainHTTP = true
	require.NoError(t, repo.Tags(t.Context(), "", func(tags []string) error {
		require.NotContains(t, strings.Join(tags, " "), "latest")
		for _, tag := range tags { // this registry lists digests among its tags
			require.True(t, bundle.IsRelease(tag), tag)
		}
		return nil
	}))
	inMemory := memory.New()
	d, err := oras.Copy(t.Context(), repo, ref.Manifest, inMemory, "x", oras.DefaultCopyOptions)
	require.NoError(t, err)
	require.Equal(t, v1.MediaTypeImageManifest, d.MediaType)

	dir := t.TempDir()
	files, err := file.New(dir)
	require.NoError(t, err)
	_, err = oras.Copy(t.Context(), repo, ref.Manifest, files, "x", oras.DefaultCopyOptions)
	require.NoError(t, err)
	require.NoError(t, files.Close())
	data, err := os.ReadFile(filepath.Join(dir, "bundle.tar"))
	require.NoError(t, err)
	require.NoError(t, b.VerifyArchive(bytes.NewReader(data)))
}

func TestLayout(t *testing.T) {
	k, b := features(t)
	folder := filepath.Join(t.TempDir(), "layout")
	require.NoError(t, k.Attach(t.Context(), b, bundle.Attachment{Type: noteType, Data: []byte("yes")}))
	ref, n, err := registry.Access{}.Push(t.Context(), parse(t, "oci:"+folder), k, b, noteType)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "oci:"+folder+"@"+bundle.Digest(b.Manifest()), ref.String())
	other := kept(t)
	got, n, err := registry.Access{}.Pull(t.Context(), parse(t, ref.String()), other, noteType)
	require.NoError(t, err)
	require.Equal(t, b, got)
	require.Equal(t, 1, n)
	whole(t, other, b)

	none := kept(t)
	_, _, err = registry.Access{}.Pull(t.Context(), registry.Reference{Folder: t.TempDir(), Manifest: ref.Manifest}, none, noteType)
	require.ErrorIs(t, err, store.ErrNotFound)
	empty(t, none)
}

// What is attached goes along, whether the registry knows referrers or needs a list under a tag.
func TestAttached(t *testing.T) {
	for name, referrers := range map[string]bool{"referrers": true, "tag": false} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, referrers)
			k, b := features(t)
			to := parse(t, s.host+"/team/features")
			ref, n, err := registry.Access{}.Push(t.Context(), to, k, b, noteType)
			require.NoError(t, err)
			require.Equal(t, 0, n)
			for _, text := range []string{"one", "two"} {
				require.NoError(t, k.Attach(t.Context(), b, bundle.Attachment{Type: noteType, Data: []byte(text)}))
			}
			require.NoError(t, k.Attach(t.Context(), b, bundle.Attachment{Type: "application/x-other", Data: []byte("no")}))
			_, n, err = registry.Access{}.Push(t.Context(), to, k, b, noteType)
			require.NoError(t, err)
			require.Equal(t, 2, n)

			other := kept(t)
			_, n, err = registry.Access{}.Pull(t.Context(), ref, other, noteType)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			want, err := k.Attached(t.Context(), b, noteType)
			require.NoError(t, err)
			got, err := other.Attached(t.Context(), b, noteType)
			require.NoError(t, err)
			require.ElementsMatch(t, want, got)
			require.Len(t, got, 2)
		})
	}
}

// replace answers a path with something else.
func replace(part string, answer func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		answer(w, r)
		return true
	}
}

// manifest answers a manifest.
func manifest(data []byte) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data)
	}
}

func answer(code int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func TestPullRefuses(t *testing.T) {
	s, b, ref := pushed(t)
	zero := "sha256:" + strings.Repeat("0", 64)
	_, other := built(t, map[string]string{"b": "2"})
	changed := func(change func(*v1.Manifest)) (registry.Reference, func(http.ResponseWriter, *http.Request) bool) {
		var m v1.Manifest
		require.NoError(t, json.Unmarshal(b.Manifest(), &m))
		change(&m)
		data, err := json.Marshal(m)
		require.NoError(t, err)
		to := ref
		to.Manifest = bundle.Digest(data)
		return to, replace("/manifests/", manifest(data))
	}
	type c struct {
		from   registry.Reference
		before func(http.ResponseWriter, *http.Request) bool
		want   string
		is     error
	}
	missing := ref
	missing.Manifest = zero
	cases := map[string]c{
		"no such manifest": {missing, nil, "it does not have it. Is the repository team/features right, and was it pushed there?", nil},
		"no digest":        {registry.Reference{Registry: s.host, Repository: "a"}, nil, "names no bundle, expected @sha256:… after it", bundle.ErrInvalid},
		"another manifest": {ref, replace("/manifests/", manifest(other.Manifest())), "digest mismatch", bundle.ErrInvalid},
		"another manifest under the right name": {ref, replace("/manifests/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Docker-Content-Digest", ref.Manifest)
			manifest(other.Manifest())(w, r)
		}), "the manifest there is " + bundle.Digest(other.Manifest()), bundle.ErrInvalid},
		"huge manifest": {ref, replace("/manifests/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", ref.Manifest)
			w.Header().Set("Content-Length", "1000000000")
			_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
		}), "more than 65536 bytes", bundle.ErrInvalid},
		"table replaced":               {ref, replace("/blobs/"+b.Release(), answer(200, strings.Repeat("{", len(b.Config())))), "expected the table of " + b.Release(), bundle.ErrInvalid},
		"archive replaced":             {ref, replace("/blobs/"+b.Archive.Digest, answer(200, strings.Repeat("x", int(b.Archive.Size)))), "its archive is sha256:", bundle.ErrInvalid},
		"archive of another size":      {ref, replace("/blobs/"+b.Archive.Digest, answer(200, "x")), "mismatch Content-Length", bundle.ErrInvalid},
		"archive that is not there":    {ref, replace("/blobs/"+b.Archive.Digest, answer(404, "")), "the archive: it does not have it", nil},
		"page of HTML":                 {ref, replace("/manifests/", answer(200, "<html>")), "registry " + s.host + ", the manifest: ", bundle.ErrInvalid},
		"who are you":                  {ref, replace("/v2/", answer(401, "")), "docker login " + s.host, nil},
		"not yours":                    {ref, replace("/v2/", answer(403, `{"errors":[{"code":"DENIED","message":"not yours"}]}`)), "it answers 403 (DENIED not yours)", nil},
		"trouble":                      {ref, replace("/v2/", answer(501, "")), "it answers 501 (not implemented); try again later", registry.ErrTrouble},
		"referrers that cannot be had": {ref, replace("/referrers/", answer(503, "")), "what is attached: it answers 503", registry.ErrTrouble},
		"cut": {ref, replace("/blobs/"+b.Archive.Digest, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(b.Archive.Size))
			_, _ = w.Write(make([]byte, b.Archive.Size/2))
			panic(http.ErrAbortHandler)
		}), "the archive: the connection broke off half-way; try again", registry.ErrTrouble},
	}
	image, imageAnswer := changed(func(m *v1.Manifest) { m.ArtifactType = "application/vnd.example" })
	cases["another type"] = c{image, imageAnswer, `an artifact of type "application/vnd.example", expected a bundle`, bundle.ErrInvalid}
	extra, extraAnswer := changed(func(m *v1.Manifest) { m.Layers = append(m.Layers, m.Layers[0]) })
	cases["one layer more"] = c{extra, extraAnswer, "not the manifest that a bundle with its table has", bundle.ErrInvalid}
	path, pathAnswer := changed(func(m *v1.Manifest) { m.Config.Digest = "sha256:../../../v2/x" })
	cases["a path for a digest"] = c{path, pathAnswer, "names no table", bundle.ErrInvalid}
	large, largeAnswer := changed(func(m *v1.Manifest) { m.Config.Size = 1 << 40 })
	cases["a table of a terabyte"] = c{large, largeAnswer, "names no table of at most", bundle.ErrInvalid}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s.before = c.before
			k := kept(t)
			_, _, err := registry.Access{}.Pull(t.Context(), c.from, k, noteType)
			require.ErrorContains(t, err, c.want)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			} else {
				require.NotErrorIs(t, err, bundle.ErrInvalid)
			}
			empty(t, k)
		})
	}
}

// What anybody has attached, and is not of the form, keeps nobody from the bundle.
func TestStrangeAttachmentIsLeftOut(t *testing.T) {
	s, b, ref := pushed(t)
	repo, err := remote.NewRepository(s.host + "/team/features")
	require.NoError(t, err)
	repo.PlainHTTP = true
	subject := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: "", Size: int64(len(b.Manifest()))}
	subject.Digest = v1.DescriptorEmptyJSON.Digest.Algorithm().FromBytes(b.Manifest())
	_, err = oras.PackManifest(t.Context(), repo, oras.PackManifestVersion1_1, noteType, oras.PackManifestOptions{Subject: &subject})
	require.NoError(t, err)
	k := kept(t)
	_, n, err := registry.Access{}.Pull(t.Context(), ref, k, noteType)
	require.NoError(t, err)
	require.Equal(t, 0, n)
	whole(t, k, b)
}

func TestPushRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		damage bool
		want   string
	}{
		"not allowed":       {replace("/uploads/", answer(403, "")), false, "push the archive of"},
		"too large":         {replace("/uploads/", answer(413, "")), false, "it answers 413 (request entity too large)"},
		"damaged in store":  {nil, true, "in the store: not a valid bundle: its archive"},
		"manifests are odd": {replace("/manifests/", answer(400, `{"errors":[{"code":"MANIFEST_INVALID","message":"no \u001b[2J"}]}`)), false, "push the manifest of"},
		"sent to elsewhere": {replace("/uploads/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://evil.example/x")
			w.WriteHeader(http.StatusAccepted)
		}), false, "different host"},
		"nothing is allowed": {replace("/v2/", answer(401, "")), false, "give --registry-user and --registry-password"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, true)
			s.before = c.before
			k, b := features(t)
			if c.damage {
				at := filepath.Join(k.Store.Folder(), "blobs", "sha256", strings.TrimPrefix(b.Archive.Digest, "sha256:"))
				require.NoError(t, os.WriteFile(at, []byte("x"), 0o600))
			}
			_, _, err := registry.Access{}.Push(t.Context(), parse(t, s.host+"/team/features"), k, b, noteType)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\x1b")
		})
	}
}

func TestNobodyThere(t *testing.T) {
	h := httptest.NewServer(http.NotFoundHandler())
	h.Close()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	from := parse(t, strings.TrimPrefix(h.URL, "http://")+"/a@sha256:"+strings.Repeat("0", 64))
	_, err := registry.Access{}.Table(t.Context(), from)
	require.ErrorIs(t, err, registry.ErrTrouble)
	require.ErrorContains(t, err, "connection refused; is it up")

	s := serve(t, true)
	done := make(chan struct{})
	defer close(done)
	s.before = func(_ http.ResponseWriter, _ *http.Request) bool { <-done; return true }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	from.Registry = s.host
	_, err = registry.Access{}.Table(ctx, from)
	require.ErrorIs(t, err, registry.ErrTrouble)
	require.ErrorContains(t, err, "no answer in time")
}

func TestParse(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for text, want := range map[string]registry.Reference{
		"registry.example/team/features":                {Registry: "registry.example", Repository: "team/features"},
		"registry.example:5000/team/features@" + digest: {Registry: "registry.example:5000", Repository: "team/features", Manifest: digest},
		"localhost/f@" + digest:                         {Registry: "localhost", Repository: "f", Manifest: digest},
		"[::1]:5000/f@" + digest:                        {Registry: "[::1]:5000", Repository: "f", Manifest: digest},
		"oci:./layout@" + digest:                        {Folder: "layout", Manifest: digest},
		"oci:/var/lib/x":                                {Folder: "/var/lib/x"},
	} {
		got, err := registry.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		again, err := registry.Parse(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	for text, want := range map[string]string{
		"registry.example/team/features:v1":              `has the tag "v1", which can be moved to other files; a bundle is named by digest only: registry.example/team/features@sha256:…`,
		"registry.example/team/features:v1@" + digest:    `has the tag "v1"`,
		"https://registry.example/features":              "begins with a scheme",
		"me:hunter2@registry.example/features":           "has a user before the host",
		"me:hunter2@registry.example/features@" + digest: "has a user before the host",
		"registry.example/Features":                      "is no reference",
		"registry.example":                               "is no reference",
		"registry.example/f@sha256:abc":                  `has "sha256:abc" after @`,
		"registry.example/f@":                            `has "" after @`,
		"oci:":                                           "names no folder",
		"oci:x@v1":                                       `has "v1" after @`,
		"":                                               "is no reference",
	} {
		_, err := registry.Parse(text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"./features": false, "features": false, "/etc/features": false, "../a.b/c:d": false, "conf.d/features": false,
		"registry.example/f@sha256:1": true, "localhost:5000/f": true, "registry.example/f:v1": true, "oci:./x": true,
		"https://registry.example/f": true,
	} {
		require.Equal(t, want, registry.Is(text), text)
	}
}

// guarded is a registry that asks who is there: by a password, or by a token that it sends for.
func guarded(t *testing.T, bearer bool) (*server, bundle.Kept, bundle.Bundle) {
	t.Helper()
	s := serve(t, true)
	k, b := features(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:hunter2"))
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch got := r.Header.Get("Authorization"); {
		case r.URL.Path == "/token" && got == basic:
			_, _ = io.WriteString(w, `{"token": "swordfish"}`)
		case r.URL.Path == "/token":
			answer(401, `{"errors":[{"code":"UNAUTHORIZED","message":"`+got+` is wrong"}]}`)(w, r)
		case bearer && got == "Bearer swordfish", !bearer && got == basic:
			return false
		default:
			challenge := `Basic realm="x"`
			if bearer {
				challenge = `Bearer realm="http://` + s.host + `/token",service="x"`
			}
			w.Header().Set("Www-Authenticate", challenge)
			answer(401, `{"errors":[{"code":"UNAUTHORIZED","message":"`+got+` is wrong"}]}`)(w, r)
		}
		return true
	}
	return s, k, b
}

func TestCredentials(t *testing.T) {
	for name, bearer := range map[string]bool{"password": false, "token": true} {
		t.Run(name, func(t *testing.T) {
			s, k, b := guarded(t, bearer)
			to := parse(t, s.host+"/team/features")
			t.Setenv("REGISTRY_PASSWORD", "hunter2")
			ref, _, err := registry.Access{User: "ann", Password: "${env:REGISTRY_PASSWORD}"}.Push(t.Context(), to, k, b, noteType)
			require.NoError(t, err)
			pulled := kept(t)
			_, _, err = registry.Access{User: "ann", Password: "${env:REGISTRY_PASSWORD}"}.Pull(t.Context(), ref, pulled, noteType)
			require.NoError(t, err)
			whole(t, pulled, b)

			t.Setenv("REGISTRY_PASSWORD", "wrong-horse")
			_, err = registry.Access{User: "ann", Password: "${env:REGISTRY_PASSWORD}"}.Table(t.Context(), ref)
			require.ErrorContains(t, err, "it answers 401 (UNAUTHORIZED Basic [redacted] is wrong). Log in with docker login "+s.host)
			_, err = registry.Access{User: "ann", Password: "hunter2"}.Table(t.Context(), ref)
			require.ErrorContains(t, err, "not a reference to a secret")
			require.NotContains(t, err.Error(), "hunter2")

			_, err = registry.Access{}.Table(t.Context(), ref)
			require.ErrorContains(t, err, "docker login")
			config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, s.host, base64.StdEncoding.EncodeToString([]byte("ann:hunter2")))
			require.NoError(t, os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config), 0o600))
			_, err = registry.Access{}.Table(t.Context(), ref)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(`{"auths": "hunter2`), 0o600))
			_, err = registry.Access{}.Table(t.Context(), ref)
			require.ErrorContains(t, err, "Docker's config file")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// A registry that is not on this machine is asked by HTTPS unless it is said otherwise.
func TestPlainHTTPIsForThisMachine(t *testing.T) {
	s, _, ref := pushed(t)
	t.Setenv("NO_PROXY", "*")
	_, port, _ := strings.Cut(s.host, ":")
	ref.Registry = "0.0.0.0:" + port // leads to this machine, and is not called so
	_, err := registry.Access{PlainHTTP: true}.Table(t.Context(), ref)
	require.NoError(t, err)
	_, err = registry.Access{}.Table(t.Context(), ref)
	require.ErrorContains(t, err, "--plain-http allows that")
}

// Redirects are followed, as registries keep blobs elsewhere, without who asks, and not to plain
// HTTP.
func TestRedirects(t *testing.T) {
	s, b, ref := pushed(t)
	asked := ""
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Authorization")
		resp, err := http.Get("http://" + s.host + r.URL.Path + "?from=storage")
		if err == nil {
			_, _ = io.Copy(w, resp.Body)
			_ = resp.Body.Close()
		}
	}))
	t.Cleanup(storage.Close)
	redirect := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("from") != "" {
			return false
		}
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("Www-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, storage.URL+r.URL.Path+"?signature=hunter2", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	s.before = redirect
	t.Setenv("REGISTRY_PASSWORD", "x")
	access := registry.Access{User: "ann", Password: "${env:REGISTRY_PASSWORD}"}
	k := kept(t)
	_, _, err := access.Pull(t.Context(), ref, k, noteType)
	require.NoError(t, err)
	whole(t, k, b)
	require.Empty(t, asked, "the storage learns nothing of who asks")
	storage.Close()
	_, err = access.Table(t.Context(), ref)
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "hunter2")

	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+s.host+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(secure.Close)
	defaults := http.DefaultTransport
	http.DefaultTransport = secure.Client().Transport
	t.Cleanup(func() { http.DefaultTransport = defaults })
	s.before = nil
	ref.Registry = "example.com" // which its certificate is for, and its client takes here
	_, err = registry.Access{}.Table(t.Context(), ref)
	require.ErrorContains(t, err, "it sends on to plain HTTP")
}
