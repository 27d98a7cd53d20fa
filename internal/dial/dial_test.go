package dial

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

func TestCheck(t *testing.T) {
	const linkLocal, metadata, multicast, unspecified = "link-local", "metadata", "multicast", "unspecified"
	for address, why := range map[string]string{
		"169.254.169.254":                      linkLocal,
		"169.254.1.1":                          linkLocal,
		"169.254.170.2":                        linkLocal, // ECS
		"fe80::1":                              linkLocal,
		"fe80::1%eth0":                         linkLocal,
		"fd00:ec2::254":                        metadata,
		"fd00:ec2::23":                         metadata, // EKS
		"fd20:ce::254":                         metadata,
		"fd00:c1::a9fe:a9fe":                   metadata,
		"fd00:42::42":                          metadata,
		"100.100.100.200":                      metadata,
		"192.0.0.192":                          metadata,
		"168.63.129.16":                        metadata,
		"0.0.0.0":                              unspecified,
		"::":                                   unspecified,
		"::%lo":                                unspecified,
		"224.0.0.1":                            multicast,
		"239.255.255.250":                      multicast,
		"ff02::1":                              multicast,
		"ff0e::1":                              multicast,
		"::ffff:169.254.169.254":               linkLocal, // mapped
		"::ffff:0.0.0.0":                       unspecified,
		"::ffff:224.0.0.1":                     multicast,
		"::ffff:100.100.100.200":               metadata,
		"::169.254.169.254":                    linkLocal, // compatible
		"::ffff:0:169.254.169.254":             linkLocal, // translated
		"64:ff9b::a9fe:a9fe":                   linkLocal, // NAT64
		"64:ff9b::100.100.100.200":             metadata,
		"64:ff9b::0.0.0.0":                     unspecified,
		"64:ff9b:1::a9fe:a9fe":                 linkLocal, // NAT64 of one's own, by /96
		"64:ff9b:1:a9fe:a9:fe00::":             linkLocal, // by /48
		"64:ff9b:1:12a9:fe:a9fe::":             linkLocal, // by /56
		"64:ff9b:1:1234:a9:fea9:fe00::":        linkLocal, // by /64
		"64:ff9b:1:abcd:ef::168.63.129.16":     metadata,
		"2002:a9fe:a9fe::1":                    linkLocal, // 6to4
		"2002:e000:1::1":                       multicast,
		"2001:0:a9fe:a9fe::1":                  linkLocal, // Teredo, by its server
		"2001:0:4136:e378:8000:63bf:5601:5601": linkLocal, // and by its client, inverted
		"2001::8000:63bf:9b9b:9b37":            metadata,

		"127.0.0.1":                            "",
		"10.1.2.3":                             "",
		"169.253.169.254":                      "",
		"223.255.255.255":                      "",
		"::1":                                  "",
		"::ffff:10.1.2.3":                      "",
		"::ffff:0:10.1.2.3":                    "",
		"fd00:ec2::253":                        "",
		"64:ff9b::10.1.2.3":                    "",
		"64:ff9b:1::10.1.2.3":                  "",
		"64:ff9b:1:a01:2:300::":                "",
		"64:ff9b:2::a9fe:a9fe":                 "",
		"2002:a01:203::1":                      "",
		"2001:0:4136:e378:8000:63bf:3fff:fdd2": "",
		"2001:db8::169.254.169.254":            "",
		"2001:1::a9fe:a9fe":                    "",
	} {
		err := check(net.JoinHostPort(address, "8080"))
		if why == "" {
			require.NoError(t, err, address)
			continue
		}
		var r *RefusedError
		require.ErrorAs(t, err, &r, address)
		require.Contains(t, r.Why, why, address)
		require.Contains(t, err.Error(), "--allow-link-local", address)
	}
	require.Error(t, check("nonsense"))
}

// An error names the address that was asked for, and the one that it leads to.
func TestRefusedError(t *testing.T) {
	require.EqualError(t, check("[64:ff9b::a9fe:a9fe]:80"),
		"connections to 64:ff9b::a9fe:a9fe are refused: it leads to 169.254.169.254, a link-local address, where clouds serve the credentials of a machine (sluice-worker --allow-link-local permits them)")
	require.EqualError(t, check("0.0.0.0:80"), "connections to 0.0.0.0 are refused: "+
		"it is an unspecified address, which is no target's (sluice-worker --allow-link-local permits them)")
}

// However a request is led there, no connection is made.
func TestEveryWayIsRefused(t *testing.T) {
	redirects := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
	t.Cleanup(redirects.Close)
	name := Guard{Resolver: resolver(t, [4]byte{169, 254, 169, 254})}
	ecs := Guard{Resolver: resolver(t, [4]byte{169, 254, 170, 2})}
	nothing := Guard{Resolver: resolver(t, [4]byte{})}
	for what, tc := range map[string]struct {
		guard Guard
		url   string
	}{
		"directly":              {Guard{}, "http://169.254.169.254/"},
		"as a number":           {Guard{}, "http://[::ffff:a9fe:a9fe]/"},
		"by a redirect":         {Guard{}, redirects.URL},
		"by a name":             {name, "http://metadata.example/"},
		"by a name with a port": {name, "http://innocent.example:9090/api/v1/query"},
		"GCP's name":            {name, "http://metadata.google.internal/computeMetadata/v1/"},
		"a name for ECS":        {ecs, "http://ecs.example/v2/credentials"},
		"a name for nothing":    {nothing, "http://nothing.example:8080/"},
		"with TLS":              {name, "https://innocent.example/"},
	} {
		client := http.Client{Transport: tc.guard.Transport()}
		res, err := client.Get(tc.url)
		if err == nil {
			_ = res.Body.Close()
		}
		var r *RefusedError
		require.ErrorAs(t, err, &r, what)
	}
}

// A proxy would make the connection itself, so it is not asked for what is refused.
func TestProxy(t *testing.T) {
	asked := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(proxy.Close)
	via, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	get := func(g Guard, where string) error {
		tr := g.Transport()
		tr.Proxy = g.behind(http.ProxyURL(via))
		client := http.Client{Transport: tr}
		res, err := client.Get(where)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	for _, host := range []string{
		"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "100.100.100.200", "metadata.google.internal", "METADATA.google.internal.",
		"[64:ff9b:1::a9fe:a9fe]", "0.0.0.0", "[::]", "224.0.0.1", "metadata.tencentyun.com", "instance-data.eu-west-1.compute.internal",
		"2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376",
	} {
		require.Error(t, get(Guard{}, "http://"+host+"/"), host)
	}
	require.Zero(t, asked)
	require.NoError(t, get(Guard{}, "http://prometheus.example:9090/"))
	require.NoError(t, get(Guard{}, "http://10.0.0.1/"))
	require.NoError(t, get(Guard{AllowLinkLocal: true}, "http://169.254.169.254/"))
	require.Equal(t, 3, asked)
}

// What is not refused is reached, and so is everything where the worker allows it.
func TestAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	client := http.Client{Transport: Guard{}.Transport()}
	res, err := client.Get(s.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.NoError(t, Guard{AllowLinkLocal: true}.control(t.Context(), "tcp", "169.254.169.254:80", nil))
}

// resolver answers every name with one address.
func resolver(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response = true
			m.Additionals = nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
					Body:   &dnsmessage.AResource{A: ip},
				}}
			}
			if data, err := m.Pack(); err == nil {
				_, _ = conn.WriteToUDP(data, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: (&fixed{conn.LocalAddr().String()}).dial}
}

// fixed dials one address, whatever is asked.
type fixed struct{ address string }

func (f *fixed) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, f.address)
}
