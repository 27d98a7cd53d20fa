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

// metadata are addresses of metadata services that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),      // AWS, over IPv6
	netip.MustParseAddr("fd00:ec2::23"),       // AWS, of the pods of EKS
	netip.MustParseAddr("fd20:ce::254"),       // Google, over IPv6
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"), // Oracle, over IPv6
	netip.MustParseAddr("fd00:42::42"),        // Scaleway, over IPv6
	netip.MustParseAddr("100.100.100.200"),    // Alibaba
	netip.MustParseAddr("192.0.0.192"),        // Oracle
	netip.MustParseAddr("168.63.129.16"),      // Azure's wire server
}

// RefusedError says where a Guard did not connect to.
type RefusedError struct {
	// Host is an address or, for what was meant for a proxy, a name.
	Host string
	// Why is what it is.
	Why string
}

// Error names the host and what would allow it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("connections to %s are refused: it %s (sluice-worker --allow-link-local permits them)", e.Host, e.Why)
}

// check refuses the address of a metadata service, in whatever form it is written.
func check(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	return checkIP(at.Addr())
}

func checkIP(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if kind := forbidden(ip); kind != "" {
		return &RefusedError{ip.String(), "is " + kind}
	}
	for _, v4 := range embedded(ip) {
		if kind := forbidden(v4); kind != "" {
			return &RefusedError{ip.String(), "leads to " + v4.String() + ", " + kind}
		}
	}
	return nil
}

// forbidden says what an address is to which no connection goes; empty for any other.
func forbidden(ip netip.Addr) string {
	switch {
	case ip.IsLinkLocalUnicast():
		return "a link-local address, where clouds serve the credentials of a machine"
	case slices.Contains(metadata, ip):
		return "the address of a cloud's metadata service"
	case ip.IsMulticast():
		return "a multicast address, which is no target's"
	case ip.IsUnspecified():
		return "an unspecified address, which is no target's"
	}
	return ""
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	ownNAT64   = netip.MustParsePrefix("64:ff9b:1::/48")
	compatible = netip.MustParsePrefix("::/96")
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
)

// embedded are the IPv4 addresses inside an IPv6 address to which a gateway would forward, or which
// it writes with sixteen bytes.
func embedded(ip netip.Addr) []netip.Addr {
	if !ip.Is6() {
		return nil
	}
	b := ip.As16()
	at := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case nat64.Contains(ip), compatible.Contains(ip), translated.Contains(ip):
		return []netip.Addr{at(12, 13, 14, 15)}
	case ownNAT64.Contains(ip):
		// How long its prefix is only the network knows (RFC 6052, 2.2), so these are guesses:
		// zeros are padding more often than not, and multicast is not worth one.
		all := []netip.Addr{at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), at(12, 13, 14, 15)}
		return slices.DeleteFunc(all, func(a netip.Addr) bool { return a.IsUnspecified() || a.IsMulticast() })
	case sixToFour.Contains(ip):
		return []netip.Addr{at(2, 3, 4, 5)}
	case teredo.Contains(ip):
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return slices.DeleteFunc([]netip.Addr{at(4, 5, 6, 7), client}, netip.Addr.IsUnspecified)
	}
	return nil
}

// metadataNames are those under which clouds serve metadata.
var metadataNames = []string{
	"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
	"metadata.tencentyun.com", "api.metadata.cloud.ibm.com", "metadata.platformequinix.com", "rancher-metadata",
}

// regionalName matches AWS' name in a region.
var regionalName = regexp.MustCompile(`^instance-data\.[a-z0-9-]+\.compute\.internal$`)

// behind answers the proxy that the environment asks for. A proxy makes the connection itself, so
// what it is asked for is checked as far as it can be here: addresses, and the names that clouds
// use. Where another name leads, only the proxy knows.
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
