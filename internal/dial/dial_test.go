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
	for address, refused := range map[string]bool{
		"169.254.169.254:80":               true,
		"169.254.1.1:443":                  true,
		"[fe80::1]:80":                     true,
		"[fe80::1%eth0]:80":                true,
		"[::ffff:169.254.169.254]:80":      true,
		"[64:ff9b::a9fe:a9fe]:80":          true,
		"[2002:a9fe:a9fe::1]:80":           true,
		"[fd00:ec2::254]:80":               true,
		"[fd20:ce::254]:80":                true,
		"[::169.254.169.254]:80":           true,
		"100.100.100.200:80":               true,
		"168.63.129.16:80":                 true,
		"127.0.0.1:80":                     false,
		"10.1.2.3:9090":                    false,
		"169.253.169.254:80":               false,
		"[::1]:80":                         false,
		"[fd00:ec2::253]:80":               false,
		"[2001:db8::169.254.169.254]:8080": false,
	} {
		err := check(address)
		var r *RefusedError
		if refused {
			require.ErrorAs(t, err, &r, address)
			require.Contains(t, err.Error(), "--allow-link-local", address)
		} else {
			require.NoError(t, err, address)
		}
	}
	require.Error(t, check("nonsense"))
}

// However a request is led there, no connection is made.
func TestEveryWayIsRefused(t *testing.T) {
	redirects := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
	t.Cleanup(redirects.Close)
	name := Guard{Resolver: resolver(t, [4]byte{169, 254, 169, 254})}
	for what, tc := range map[string]struct {
		guard Guard
		url   string
	}{
		"directly":              {Guard{}, "http://169.254.169.254/"},
		"as a number":           {Guard{}, "http://[::ffff:a9fe:a9fe]/"},
		"by a redirect":         {Guard{}, redirects.URL},
		"by a name":             {name, "http://metadata.example/"},
		"by a name with a port": {name, "http://innocent.example:9090/api/v1/query"},
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
