package health

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/spec"
)

// everyForm is a check of each form, with the answer that it passes on.
func everyForm() map[string]struct {
	check spec.Check
	sound string
} {
	type one = struct {
		check spec.Check
		sound string
	}
	const number = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"t0:80"},"value":[1,"1772366460"]}]}}`
	const large = 1e18 // the same number answers how much and when
	return map[string]one{
		"value":   {spec.Check{Value: "max(x{$exposed})", Max: num(large)}, number},
		"each":    {spec.Check{Each: spec.EachTarget, Value: "max by (instance) (x{$exposed})", Max: num(large)}, number},
		"ratio":   {spec.Check{Bad: "sum(x{$exposed})", Total: "sum(x{$exposed})", Max: num(1), MinSamples: 1}, number},
		"probe":   {spec.Check{Form: spec.Choose("probe", Probe{HTTP: "http://{{address}}/", Status: 200, Contains: "all is well", Timeout: seconds(2)})}, `all is well`},
		"tcp":     {spec.Check{Form: spec.Choose("probe", Probe{TCP: "{{address}}", Timeout: seconds(2)})}, ``},
		"alerts":  {spec.Check{Form: spec.Choose("alerts", Alerts{Alertmanager: "http://am", Match: []string{"a=b"}})}, `[]`},
		"webhook": {spec.Check{Form: spec.Choose("webhook", WebhookJudge{URL: "http://judge/", Timeout: seconds(5)})}, `{"verdict":"PASS"}`},
	}
}

// answering is a server, and a network, that answers everything so.
type answering struct {
	status int
	kind   string
	body   string
	err    error // instead of an answer
	slow   bool
	cut    bool // the body ends with an error
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := a.wait(r.Context()); err != nil {
		return nil, err
	}
	body := io.Reader(bytes.NewBufferString(a.body))
	if a.cut {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Request: r, Body: io.NopCloser(body),
		Header: http.Header{"Content-Type": {a.kind}, "Location": {"/elsewhere"}},
	}, nil
}

func (a answering) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	here, _ := net.Pipe()
	return here, nil
}

func (a answering) wait(ctx context.Context) error {
	if a.slow {
		<-ctx.Done()
		return ctx.Err()
	}
	return a.err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// tester is a test, or one of rapid's.
type tester interface {
	require.TestingT
	Context() context.Context
}

func look1(t tester, c spec.Check, a answering) Result {
	c.Name = "check"
	h := externalSpec(c)
	if !c.External() {
		h.Source, h.Identify = spec.Choose("prometheus", "http://prometheus"), spec.Identify{Label: "instance", Value: "{{address}}"}
	}
	f := farm{applied: time.Unix(1772366460-60, 0)}
	f.targets = newFarmTargets(2)
	m, err := Open(h, f.binding(1), Deps{Sources: sources, Forms: forms, Transport: a, Dial: a.dial})
	require.NoError(t, err)
	r, err := m.LookAll(t.Context(), f.applied.Add(time.Minute))
	require.NoError(t, err)
	return r.Results[0]
}

// No form passes on an error, whatever it is; each does on its sound answer.
func TestNoFormPassesOnAnError(t *testing.T) {
	wrong := map[string]answering{
		"no connection": {err: errors.New("connection refused")},
		"refused":       {err: &net.OpError{Op: "dial", Err: errors.New("link-local")}},
		"slow":          {slow: true},
	}
	ok := answering{status: 200, kind: "application/json"}
	for name, body := range map[string]string{
		"empty": "", "null": "null", "an empty object": "{}", "an empty text": `""`, "HTML": "<html>log in</html>", "half": `{"`,
		"an empty element": "[{}]", "a null element": "[null]", "true": "true", "a number": "0", "an error": `{"status":"error","errorType":"bad_data","error":"x"}`,
		"NUL": "\x00", "huge": `{"x":"` + strings.Repeat("x", 4<<20) + `"}`,
	} {
		a := ok
		a.body = body
		wrong[name] = a
	}
	for name, f := range everyForm() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sound := answering{status: 200, kind: "application/json", body: f.sound}
				res := look1(t, f.check, sound)
				require.Equal(t, Pass, res.Verdict, res.Sentence)
				wrong := wrong
				if name == "tcp" { // it has no body and no status
					wrong = map[string]answering{"no connection": wrong["no connection"], "refused": wrong["refused"], "slow": wrong["slow"]}
				} else {
					for _, code := range []int{201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 407, 408, 409, 418, 422, 429, 500, 501, 502, 503, 504, 599} {
						a := sound
						a.status = code
						if !f.check.External() && code/100 == 2 {
							continue // its client takes any
						}
						res := look1(t, f.check, a)
						require.NotEqual(t, Pass, res.Verdict, "%d: %s", code, res.Sentence)
					}
				}
				if f.check.Form.Name != "probe" {
					a := sound
					a.kind = "text/html"
					require.Equal(t, NoData, look1(t, f.check, a).Verdict)
					a = sound
					a.cut = true
					require.Equal(t, NoData, look1(t, f.check, a).Verdict)
				}
				for what, a := range wrong {
					res := look1(t, f.check, a)
					require.NotEqual(t, Pass, res.Verdict, "%s: %s", what, res.Sentence)
					require.NotEmpty(t, res.Sentence, what)
					if f.check.Form.Name != "probe" {
						require.Equal(t, NoData, res.Verdict, "%s: %s", what, res.Sentence)
					}
				}
			})
		})
	}
	res := look1(t, spec.Check{}, ok)
	require.Equal(t, NoData, res.Verdict, "a check of no known form")
}

// Whatever a server answers, a form passes only on the very answer that says so.
func TestNoFormPassesOnNoise(t *testing.T) {
	forms := everyForm()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"probe", "alerts", "webhook"}).Draw(t, "form")
		f := forms[name]
		body := f.sound
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			body = rapid.String().Draw(t, "body")
		case 1:
			at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			body = body[:at] + string(rapid.Byte().Draw(t, "byte")) + body[at+1:]
		case 2:
			body = body[:rapid.IntRange(0, len(body)).Draw(t, "until")]
		}
		a := answering{
			body:   body,
			status: rapid.SampledFrom([]int{200, 200, 200, 204, 302, 404}).Draw(t, "status"),
			kind:   rapid.SampledFrom([]string{"application/json", "application/json", "text/html", ""}).Draw(t, "kind"),
		}
		same := strings.TrimSpace(a.body) == f.sound
		switch name {
		case "webhook":
			same = same || strings.ReplaceAll(a.body, " ", "") == f.sound
		case "alerts":
			none := strings.TrimSpace(strings.Trim(strings.TrimSpace(a.body), "[]")) == ""
			same = same || none && strings.Count(a.body, "[") == 1
		}
		if res := look1(t, f.check, a); res.Verdict == Pass {
			require.Equal(t, 200, a.status)
			require.True(t, same, "%s: %q", name, a.body)
			if name != "probe" {
				require.Equal(t, "application/json", a.kind)
			}
		}
	})
}
