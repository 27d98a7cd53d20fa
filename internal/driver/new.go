package driver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/spec"
)

// constructor makes one driver. It answers nil, nil when its settings are not
// in d.
type constructor func(d spec.Driver, via http.RoundTripper) (Driver, error)

// drivers is every driver by the name of its settings in a spec. Adding one is a
// file and a line here.
func drivers() []struct {
	name string
	make constructor
} {
	return []struct {
		name string
		make constructor
	}{
		{"http", newHTTP},
		{"exec", newExec},
	}
}

// New makes the driver that the settings ask for, which sends HTTP requests through
// via; nil is a Transport of its own. It checks them, looks up
// nothing and touches nothing: secrets are resolved, and programs found, when
// they are needed.
func New(d spec.Driver, via http.RoundTripper) (Driver, error) {
	if via == nil {
		via = Transport(dial.Guard{})
	}
	var found Driver
	var names, set []string
	for _, known := range drivers() {
		names = append(names, known.name)
		made, err := known.make(d, via)
		if err != nil {
			return nil, fmt.Errorf("driver.%s%w", known.name, err)
		}
		if made != nil {
			found, set = made, append(set, known.name)
		}
	}
	switch len(set) {
	case 0:
		return nil, fmt.Errorf("driver: none is set, expected one of %s", strings.Join(names, ", "))
	case 1:
		return found, nil
	default:
		return nil, fmt.Errorf("driver: %s are both set, expected one", strings.Join(set, " and "))
	}
}

// fieldError blames one field of a driver's settings; New puts the driver's name
// before it.
func fieldError(field string, err error) error { return fmt.Errorf(".%s: %w", field, err) }

var errRequired = errors.New("is required")
