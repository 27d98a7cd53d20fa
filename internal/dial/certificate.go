package dial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// Certificate says in plain words what is wrong with the certificate of a server, or for a server
// with the worker's, if that is what an error is about; else it is empty. Field is where the TLS
// stands in the spec. What Go says follows, in which a server's names are as it has written them.
func Certificate(err error, field string, t *TLS) string {
	if t == nil {
		t = &TLS{}
	}
	named := func(name, ref string) string { return field + "." + name + " (" + ref + ")" }
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" && strings.Contains(alert.Error(), "certificate") {
		if t.Cert == "" {
			return "it asks for a certificate of the worker, and was shown none: " + err.Error()
		}
		return "it does not accept the certificate in " + named("cert", t.Cert) + ": " + err.Error()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		return ""
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name: " + err.Error()
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		return "its certificate is not valid: " + err.Error()
	}
	whose := "the worker's system"
	if t.CA != "" {
		whose = named("ca", t.CA)
	}
	return "its certificate is signed by no CA of " + whose + ": " + err.Error()
}
