package dial

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// metadataNames are those under which clouds serve metadata.
var metadataNames = []string{
	"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
	"metadata.tencentyun.com", "api.metadata.cloud.ibm.com", "metadata.platformequinix.com", "rancher-metadata",
}

// regionalName matches AWS' name in a region.
var regionalName = regexp.MustCompile(`^instance-data\.[a-z0-9-]+\.compute\.internal$`)

// behind answers the proxy that the environment asks for. A proxy makes the connection
// itself, so what it is asked for is checked as far as it can be here: addresses, and
// the names that clouds use. Where another name leads, only the proxy knows.
func (g Guard) behind(environment func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		via, err := environment(r)
		if via == nil || err != nil || g.AllowLinkLocal {
			return via, err
		}
		return via, checkHost(r.URL.Hostname())
	}
}

// checkHost refuses a host that a proxy would take for a metadata service's.
func checkHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		return checkIP(ip)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if slices.Contains(metadataNames, name) || regionalName.MatchString(name) {
		return &RefusedError{name, "is the name of a cloud's metadata service"}
	}
	// To many a resolver 2852039166, 0xa9fea9fe and 169.254.43518 are addresses.
	if last := name[strings.LastIndexByte(name, '.')+1:]; last != "" && last[0] >= '0' && last[0] <= '9' {
		return fmt.Errorf("%q is no name and no address in its usual form, and is not asked of a proxy", name)
	}
	return nil
}
