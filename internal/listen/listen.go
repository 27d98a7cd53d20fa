// Package listen guards the listeners of Sluice's programs: whoever reaches them from another
// machine must show a token, or a certificate.
package listen

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/sluicehq/sluice/internal/secret"
)

// Loopback says that an address, host:port, can be reached from its own machine only, as far as it
// tells: a name such as localhost may lead anywhere, so ask again with what was listened on.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Bearer lets only requests with the token through, and says to others what was expected. It takes
// as long for a token that is nearly right as for any other.
func Bearer(token secret.Secret, expected string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, expected, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// TLS reads a certificate and its key, and those who sign the certificates that are asked of
// clients: empty where none are.
func TLS(cert, key, clientCA string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s, key %s: %w", cert, key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if clientCA == "" {
		return config, nil
	}
	data, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("authorities of clients: %w", err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("authorities of clients: %s holds no certificate, expected PEM", clientCA)
	}
	return config, nil
}
