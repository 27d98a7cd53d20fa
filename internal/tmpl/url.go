package tmpl

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// EscapeURL keeps a value inside the part of a URL that it is filled into. An address is host:port
// with an optional path and is taken as it is; nothing else may add a segment, a query or another
// host.
func EscapeURL(name, value, before string) (string, error) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("the value holds a control character")
	}
	_, rest, _ := strings.Cut(before, "://")
	inPath, inQuery := strings.Contains(rest, "/"), strings.Contains(rest, "?")
	switch {
	case value == "":
		return "", errors.New("the value is empty")
	case name == Address:
		if strings.ContainsAny(value, "?#@\\ \"<>") {
			return "", fmt.Errorf("%q is not an address, expected host:port or host:port/path", value)
		}
		return value, nil
	case inQuery:
		return url.QueryEscape(value), nil
	case value == "." || value == "..":
		return "", fmt.Errorf("%q would leave its place in the path", value)
	case inPath:
		return url.PathEscape(value), nil
	case strings.ContainsAny(value, "/?#@\\ \"<>%"):
		return "", fmt.Errorf("%q cannot be part of a host name", value)
	default:
		return value, nil
	}
}

// FillURL fills a URL with every value kept in its place, and refuses what is no URL then, or has
// credentials or a fragment. It answers the URL as text and parsed.
func FillURL(text string, v Values) (where string, u *url.URL, err error) {
	if where, err = FillEscaped(text, v, EscapeURL); err != nil {
		return "", nil, err
	}
	u, err = url.Parse(where)
	switch {
	case err != nil:
		return "", nil, fmt.Errorf("%q is not a URL", where)
	case u.Hostname() == "":
		return "", nil, fmt.Errorf("%q has no host", where)
	case u.User != nil:
		return "", nil, errors.New("credentials in the URL are refused, expected a token by reference")
	case u.Fragment != "":
		return "", nil, fmt.Errorf("%q has a fragment", where)
	}
	return where, u, nil
}
