// Package registry carries bundles to OCI registries and back, by digest only: a tag can be moved,
// a digest cannot. Whatever comes from a registry is verified before it is kept, so that nobody has
// to trust one.
package registry

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"oras.land/oras-go/v2/registry"

	"github.com/sluicehq/sluice/internal/bundle"
)

// Reference names a bundle in a registry or in an OCI layout, or where bundles are.
type Reference struct {
	// Folder is that of an OCI layout; empty for a registry.
	Folder string
	// Registry is a host, with a port or without; Repository is a path in it.
	Registry, Repository string
	// Manifest is the digest of a bundle's manifest; empty where no bundle is named.
	Manifest string
}

const layoutPrefix = "oci:"

// Is says whether a text is a reference, or was meant as one, rather than a folder.
func Is(text string) bool {
	if strings.HasPrefix(text, layoutPrefix) || strings.Contains(text, "@sha") || strings.Contains(text, "://") {
		return true
	}
	host, path, ok := strings.Cut(text, "/")
	if !ok || strings.HasPrefix(host, ".") || host == "" {
		return false
	}
	return strings.Contains(host, ":") || strings.Contains(host, ".") && strings.Contains(path, ":")
}

// Parse reads a reference: HOST[:PORT]/REPOSITORY or oci:FOLDER, followed by @sha256:… where it
// names a bundle. It does not repeat what may hold a password.
func Parse(text string) (Reference, error) {
	if folder, ok := strings.CutPrefix(text, layoutPrefix); ok {
		folder, digest, named := strings.Cut(folder, "@")
		if folder == "" {
			return Reference{}, errors.New("names no folder after oci:, expected oci:FOLDER@sha256:…")
		}
		return Reference{Folder: filepath.Clean(folder), Manifest: digest}, checkDigest(digest, named)
	}
	if _, _, ok := strings.Cut(text, "://"); ok {
		return Reference{}, errors.New("begins with a scheme, expected HOST[:PORT]/REPOSITORY@sha256:… without one")
	}
	host, path, _ := strings.Cut(text, "/")
	if path != "" && strings.Contains(host, "@") {
		return Reference{}, errors.New("has a user before the host, expected HOST[:PORT]/REPOSITORY@sha256:…; " +
			"who asks is given by docker login, or by --registry-user and --registry-password")
	}
	path, digest, named := strings.Cut(path, "@")
	if repository, tag, ok := strings.Cut(path, ":"); ok {
		return Reference{}, fmt.Errorf("has the tag %.100q, which can be moved to other files; "+
			"a bundle is named by digest only: %s/%s@sha256:…, as bundle push prints it", tag, host, repository)
	}
	r, err := registry.ParseReference(host + "/" + path)
	if err != nil {
		return Reference{}, fmt.Errorf("%.200q is no reference, "+
			"expected HOST[:PORT]/REPOSITORY@sha256:… with a repository in lower case, or oci:FOLDER@sha256:…", text)
	}
	return Reference{Registry: r.Registry, Repository: r.Repository, Manifest: digest}, checkDigest(digest, named)
}

func checkDigest(digest string, named bool) error {
	if named && !bundle.IsRelease(digest) { // any SHA-256 has that form
		return fmt.Errorf("has %.100q after @, expected sha256: and 64 hex digits", digest)
	}
	return nil
}

// String is what Parse reads.
func (r Reference) String() string {
	at := r.Place()
	if r.Manifest != "" {
		at += "@" + r.Manifest
	}
	return at
}

// Place is the reference without the bundle.
func (r Reference) Place() string {
	if r.Folder != "" {
		return layoutPrefix + r.Folder
	}
	return r.Registry + "/" + r.Repository
}

// loopback says whether the registry is on this machine.
func (r Reference) loopback() bool {
	host := registry.Reference{Registry: r.Registry}.Host()
	if at := strings.LastIndex(host, ":"); at >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:at]
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
