package draft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Seen is what was found about a fleet's targets. The zero value is that nobody looked.
type Seen struct {
	// Looked says that a page or a Prometheus was read.
	Looked bool
	// From is what was read, for people.
	From string
	// Page is what a target shows, and Earlier the same a while before, for how fast counters grow.
	Page, Earlier Page
	// Between is the time between the two, and Interval how often Prometheus reads targets; 0 where
	// not known.
	Between, Interval time.Duration
	// Probe is a path at which the target answered as it should; empty where none did.
	Probe string

	source string // as the spec has it: a URL of pages, or of a Prometheus
	who    identity
}

// Looker reads pages and asks servers. Its zero value does so over Go's default transport.
type Looker struct {
	// Via carries requests; nil is Go's default transport.
	Via http.RoundTripper
	// Gap is the time between two looks at a page; 0 is 2s.
	Gap time.Duration
}

// Bounds of a look.
const (
	maxBytes   = 16 << 20
	lookLimit  = 10 * time.Second
	probeLimit = 2 * time.Second
	usualGap   = 2 * time.Second
	// pastRead is for how long back Prometheus is asked how often it reads a target, and rated for
	// how fast counters grew.
	pastRead = 10 * time.Minute
	rated    = 5 * time.Minute
)

// LookAtPage reads the metrics page of one target, twice, and asks the target for a page that users
// see. Where page is a template, such as http://{{address}}/metrics, that is the first target's.
func (l Looker) LookAtPage(ctx context.Context, page string, targets []fleet.Target) (Seen, error) {
	text, target, err := pageOf(page, targets)
	from := ""
	if errors.Is(err, errNobodys) {
		text, target, from, err = l.ownPage(ctx, page, targets, err)
		page = text
	}
	if err != nil {
		return Seen{}, err
	}
	if page, err = tmpl.Fill(page, tmpl.ForTarget(target.ID, target.Address, target.Labels)); err != nil {
		return Seen{}, fmt.Errorf("page: %w", err)
	}
	s := Seen{Looked: true, From: "the page " + page + from, source: text}
	if s.Page, err = l.page(ctx, page); err != nil {
		return s, fmt.Errorf("read %s: %w", page, err)
	}
	began := time.Now()
	gap := l.Gap
	if gap <= 0 {
		gap = usualGap
	}
	if err := pause.For(ctx, gap); err != nil {
		return s, err
	}
	if later, err := l.page(ctx, page); err == nil { // the first tells all but how fast it grows
		s.Page, s.Earlier, s.Between = later, s.Page, time.Since(began)
	}
	own := ""
	if at, ok := strings.CutPrefix(text, "http://{{"+tmpl.Address+"}}"); ok {
		own = at
	}
	s.Probe = l.probe(ctx, target, own)
	return s, nil
}

// ownPage finds the targets' own pages where the one at hand shows many targets, told apart by a
// label: a rollout reads a page of each target. Otherwise the error stays what it was.
func (l Looker) ownPage(
	ctx context.Context, page string, targets []fleet.Target, was error,
) (text string, of fleet.Target, from string, err error) {
	shown, err := l.page(ctx, page)
	if err != nil {
		return "", of, "", was
	}
	who, err := identify(slices.Concat(slices.Collect(maps.Values(shown.series))...), targets)
	if err != nil {
		return "", of, "", was
	}
	for _, t := range targets {
		if v, err := tmpl.Fill(who.template, tmpl.ForTarget(t.ID, t.Address, t.Labels)); err == nil && v == who.value {
			of = t
		}
	}
	path := "/metrics"
	if u, err := url.Parse(page); err == nil && u.Path != "" {
		path = u.Path
	}
	shows := fmt.Sprintf("%s shows %d of %d targets, by the label %s", page, who.known, len(targets), who.label)
	if _, err := l.page(ctx, "http://"+of.Address+path); err != nil {
		return "", of, "", fmt.Errorf("%s, and a rollout reads a page of each target: name one of these, such as http://{{address}}%s "+
			"(of %s it says: %w), or a Prometheus that reads this page (--prometheus)", shows, path, of.ID, err)
	}
	return "http://{{" + tmpl.Address + "}}" + path, of, "; " + shows, nil
}

func (l Looker) client() *http.Client {
	return &http.Client{Transport: l.Via, CheckRedirect: promapi.NoRedirect}
}

// get asks for a page; its body has at most maxBytes.
func (l Looker) get(ctx context.Context, limit time.Duration, url string) (status int, contentType string, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", nil, promapi.Cause(err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	res, err := l.client().Do(req)
	if err != nil {
		return 0, "", nil, promapi.Cause(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxBytes+1))
	if err == nil && len(body) > maxBytes {
		err = fmt.Errorf("it has more than %d MiB", maxBytes>>20)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), body, err
}

func (l Looker) page(ctx context.Context, url string) (Page, error) {
	status, kind, body, err := l.get(ctx, lookLimit, url)
	switch {
	case err != nil:
		return Page{}, err
	case status != http.StatusOK:
		return Page{}, fmt.Errorf("it answered %d %s", status, http.StatusText(status))
	}
	return ReadPage(body, kind)
}

// probe finds a path that answers as a user's request should. The page of metrics comes last: it
// says least about what users get.
func (l Looker) probe(ctx context.Context, t fleet.Target, metrics string) string {
	paths := []string{"/", "/healthz", "/health", "/readyz", "/ready", "/-/healthy", "/ping"}
	if metrics != "" {
		paths = append(paths, metrics)
	}
	for _, path := range paths {
		status, _, _, err := l.get(ctx, probeLimit, "http://"+t.Address+path)
		if err == nil && status/100 == 2 {
			return path
		}
	}
	return ""
}
