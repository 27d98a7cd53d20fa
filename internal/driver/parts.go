package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// For makes the driver of a spec as New does: its only one, or one that moves all its parts.
func (k Registry) For(s spec.Spec, via http.RoundTripper) (Driver, error) {
	if len(s.Parts) == 0 {
		return k.New(s.Driver, via)
	}
	if s.Release == "" || s.Release != s.Composed() {
		return nil, fmt.Errorf("release: is %q, expected the releases of the parts", s.Release)
	}
	var all []Part
	for _, p := range s.Parts {
		d, err := k.New(p.Driver, via)
		if err != nil {
			return nil, partOf(p.Unit, err)
		}
		all = append(all, Part{p.Unit, d})
	}
	return Parts(all...), nil
}

// Part is one of the units that move as one, and the driver that puts it onto a target.
type Part struct {
	Unit   string
	Driver Driver
}

// Parts is the driver of units that move and come back as one. A release names that of every part,
// as spec.Compose does, and so does what a target runs, in whatever mixture. An order is carried
// out part by part: in their order, and in reverse where it puts something back. It ends at the
// first that fails, so that no part is put back before one that may need it; the same order again
// goes on from there.
func Parts(all ...Part) Driver { return partsDriver(all) }

type partsDriver []Part

// partOf names the part that an error is about.
func partOf(unit string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("part %s: %w", unit, err)
}

// Observe asks every part. What one of them does not say is not known of the target.
func (p partsDriver) Observe(ctx context.Context, t fleet.Target, _ string) (State, error) {
	out, releases := State{Alive: true}, make([]spec.PartRelease, len(p))
	var details []string
	for i, part := range p {
		s, err := part.Driver.Observe(ctx, t, part.Unit)
		if err != nil {
			return State{}, partOf(part.Unit, err)
		}
		releases[i] = spec.PartRelease{Unit: part.Unit, Release: s.Release}
		if s.Fence > out.Fence {
			out.Fence, out.Refused = s.Fence, false
		}
		out.Refused = out.Refused || s.Refused && s.Fence == out.Fence
		if !s.Alive && s.Release != "" {
			out.Alive = false
			details = append(details, part.Unit+": "+cmp.Or(s.Detail, "not alive"))
		}
	}
	out.Release, out.Detail = spec.Compose(releases), strings.Join(details, "; ")
	if err := checkRelease(out.Release); err != nil {
		return State{}, refused(fmt.Errorf("what its parts run, in one word: %w", err))
	}
	return out, nil
}

// partOrder is the share of a part in an order.
type partOrder struct {
	Part
	Order
}

// unit tells the two apart.
func (o partOrder) unit() string { return o.Part.Unit }

// orders are the shares of an order, in the order of the parts.
func (p partsDriver) orders(o Order) ([]partOrder, error) {
	releases, err := p.releases(o.Release)
	if err != nil {
		return nil, refused(fmt.Errorf("release: %w", err))
	}
	out := make([]partOrder, len(p))
	for i, part := range p {
		out[i] = partOrder{part, Order{Unit: part.Unit, Release: releases[i], Fence: o.Fence, Back: o.Back}}
	}
	return out, nil
}

// each gives every part its share of an order, until one fails.
func (p partsDriver) each(o Order, give func(partOrder) error) error {
	orders, err := p.orders(o)
	if err != nil {
		return err
	}
	for _, one := range orders {
		if err := partOf(one.unit(), give(one)); err != nil {
			return err
		}
	}
	return nil
}

// Validate asks every part.
func (p partsDriver) Validate(ctx context.Context, t fleet.Target, o Order) error {
	return p.each(o, func(one partOrder) error { return one.Driver.Validate(ctx, t, one.Order) })
}

// CheckOrder asks every part.
func (p partsDriver) CheckOrder(t fleet.Target, o Order) error {
	return p.each(o, func(one partOrder) error { return CheckOrder(one.Driver, t, one.Order) })
}

// Prepares says whether a part does.
func (p partsDriver) Prepares() bool {
	return slices.ContainsFunc(p, func(part Part) bool { return Prepares(part.Driver) })
}

// Prepare readies the parts that can be.
func (p partsDriver) Prepare(ctx context.Context, t fleet.Target, o Order) error {
	return p.each(o, func(one partOrder) error {
		if !Prepares(one.Driver) || one.Release == "" {
			return nil
		}
		return one.Driver.(Preparer).Prepare(ctx, t, one.Order)
	})
}

// settles says whether a part does.
func (p partsDriver) settles() bool {
	return slices.ContainsFunc(p, func(part Part) bool { return Settles(part.Driver) })
}

// Settle tells the parts that can be told.
func (p partsDriver) Settle(ctx context.Context, t fleet.Target, o Order) error {
	return p.each(o, func(one partOrder) error {
		if !Settles(one.Driver) || one.Release == "" {
			return nil
		}
		return one.Driver.(Settler).Settle(ctx, t, one.Order)
	})
}

// Carrying gives the content to the parts that carry it.
func (p partsDriver) Carrying(c Content) Driver {
	out := slices.Clone(p)
	for i, part := range p {
		if carrier, ok := part.Driver.(Carrier); ok {
			out[i].Driver = carrier.Carrying(c)
		}
	}
	return out
}

// Timeout is that of all parts, which are asked one after the other.
func (p partsDriver) Timeout() (sum time.Duration) {
	for _, part := range p {
		sum += Timeout(part.Driver)
	}
	return sum
}

// Apply carries out an order part by part. Before it changes the first, all were asked whether they
// could; what is put back asks nobody.
func (p partsDriver) Apply(ctx context.Context, t fleet.Target, o Order) error {
	orders, err := p.orders(o)
	switch {
	case err != nil:
		return err
	case o.Back:
		slices.Reverse(orders)
	default:
		if err := p.Validate(ctx, t, o); err != nil {
			return err
		}
	}
	for i, one := range orders {
		before, silent := one.Driver.Observe(ctx, t, one.unit())
		if silent == nil && one.done(before) {
			continue
		}
		if err := one.Driver.Apply(ctx, t, one.Order); err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("%s: %w", told(ctx, t, orders, i, silent), partOf(one.unit(), err))
			}
			if i > 0 {
				err = between{err}
			}
			return err
		}
	}
	return nil
}

// ErrBetween is matched by an error that says that an order was carried out for some parts of a
// target.
var ErrBetween = errors.New("between its parts")

type between struct{ error }

// Is matches ErrBetween.
func (between) Is(target error) bool { return target == ErrBetween }

func (b between) Unwrap() error { return b.error }

// done says that a part has carried out its share already, and is not disturbed by it once more.
func (o partOrder) done(s State) bool {
	return s.Release == o.Release && s.Fence == o.Fence && s.Alive && !s.Refused
}

// told is what each part runs after the order for the one at failed did not succeed. Silent is why
// that one had not answered before: then it is not asked again.
func told(ctx context.Context, t fleet.Target, orders []partOrder, failed int, silent error) string {
	words := make([]string, len(orders))
	for i, one := range orders {
		s, err := State{Release: one.Release}, error(nil)
		switch {
		case i == failed && silent != nil:
			err = silent
		case i >= failed:
			s, err = one.Driver.Observe(ctx, t, one.unit())
		}
		still := ""
		if i >= failed && s.Release != one.Release {
			still = "still "
		}
		words[i] = fmt.Sprintf("%s %sruns %s", one.unit(), still, bundle.Short(cmp.Or(s.Release, "nothing")))
		if err != nil {
			words[i] = one.unit() + " does not say what it runs"
		}
	}
	return strings.Join(words, ", ")
}
