package health

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

const planted = "hunter2-planted"

func webhookSpec(url string) spec.Health {
	return judgeSpec(WebhookJudge{URL: url, Access: dial.Access{Token: "${env:SLUICE_TEST_JUDGE}"}, Timeout: seconds(5)})
}

// judgeSpec asks a judge.
func judgeSpec(w WebhookJudge) spec.Health {
	return externalSpec(spec.Check{Name: "judge", Form: spec.Choose("webhook", w)})
}

// ruled answers what a check says when the judge answers so.
func ruled(t *testing.T, h http.HandlerFunc) Result {
	t.Helper()
	t.Setenv("SLUICE_TEST_JUDGE", planted)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	res := lookAt(t, webhookSpec(s.URL+"/secret-path"), newFarm(t, 3).binding(2), 1)
	all, err := json.Marshal(res)
	require.NoError(t, err)
	require.NotContains(t, string(all), planted)
	require.NotContains(t, string(all), "secret-path")
	return res
}

func ruling(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, body)
	}
}

func TestWebhookAsks(t *testing.T) {
	var asked map[string]any
	res := ruled(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "Bearer "+planted, r.Header.Get("Authorization"))
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked))
		ruling(`{"verdict":"PASS","why":"budget left: 97%"}`)(w, r)
	})
	require.Equal(t, map[string]any{
		"check": "judge", "unit": "edge", "release": "2.0.0", "previous": "1.0.0", "stage": "canary", "exposed": 2.0,
		"targets": []any{"t0", "t1"}, "since": "2026-03-01T12:00:00Z", "at": "2026-03-01T12:01:00Z",
	}, asked)
	require.Equal(t, Pass, res.Verdict)
	require.Contains(t, res.Sentence, "budget left: 97%")
}

func TestWebhookRulings(t *testing.T) {
	for body, want := range map[string]struct {
		verdict Verdict
		says    string
	}{
		`{"verdict":"PASS"}`:                             {Pass, "the judge gave no reason"},
		`{"verdict":"FAIL","why":"worse"}`:               {Fail, "worse"},
		`{"verdict":"NODATA","why":"x"}`:                 {NoData, "x"},
		`{"verdict":"STALE","why":"x"}`:                  {Stale, "x"},
		`{"verdict":"UNEXERCISED","why":"x","more":[1]}`: {Unexercised, "x"},
		`{"verdict":"pass"}`:                             {NoData, `its verdict is "pass", expected one of PASS`},
		`{"verdict":"PASS "}`:                            {NoData, "its verdict is"},
		`{"verdict":"OK\u001b[31m"}`:                     {NoData, `its verdict is "OK [31m"`},
		`{"verdict":true}`:                               {NoData, `its "verdict" is not text`},
		`{"verdict":["PASS"]}`:                           {NoData, `its "verdict" is not text`},
		`{"verdict":null}`:                               {NoData, `its verdict is ""`},
		`{"Verdict":"PASS"}`:                             {NoData, `it has no "verdict"`},
		`{}`:                                             {NoData, `it has no "verdict"`},
		`{"verdict":"FAIL","verdict":"PASS"}`:            {NoData, `it has "verdict" twice`},
		`{"verdict":"PASS","why":7}`:                     {NoData, `its "why" is not text`},
		`{"verdict":"PASS"} {"verdict":"FAIL"}`:          {NoData, "something follows"},
		`{"verdict":"PASS"`:                              {NoData, "it is cut off"},
		`["PASS"]`:                                       {NoData, "it is not a JSON object"},
		`"PASS"`:                                         {NoData, "it is not a JSON object"},
		`PASS`:                                           {NoData, "it is not a JSON object"},
		``:                                               {NoData, "it is not a JSON object"},
		`{"verdict":"PASS","why":"a\u001b[2J\u202eb\nc"}`:         {Pass, "a [2J b c"},
		`{"verdict":"FAIL","why":"token ` + planted + ` is bad"}`: {Fail, "token [redacted] is bad"},
	} {
		t.Run(body, func(t *testing.T) {
			res := ruled(t, ruling(body))
			require.Equal(t, want.verdict, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, want.says)
		})
	}
	long := ruled(t, ruling(`{"verdict":"FAIL","why":"`+strings.Repeat("x", 10_000)+`"}`))
	require.Less(t, len(long.Sentence), maxReason+100)
}

func TestWebhookTransport(t *testing.T) {
	const pass = `{"verdict":"PASS","why":"fine"}`
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		says string
	}{
		"an error": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			ruling(pass)(w, r)
		}, "it answered 500 Internal Server Error"},
		"refused": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, planted, http.StatusUnauthorized) }, "it answered 401 Unauthorized"},
		"created": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, pass)
		}, "it answered 201 Created"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+planted, http.StatusTemporaryRedirect)
		}, "redirects are not followed"},
		"HTML": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html "+planted)
			_, _ = io.WriteString(w, pass)
		}, `not JSON`},
		"too much": {ruling(`{"verdict":"PASS","why":"` + strings.Repeat("x", maxRuling) + `"}`), "it answered more than 64 KiB"},
		"cut off": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			ruling(pass)(w, r)
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			res := ruled(t, tc.h)
			require.Equal(t, NoData, res.Verdict, res.Sentence)
			require.Contains(t, res.Sentence, "no usable answer from 127.0.0.1:")
			require.Contains(t, res.Sentence, tc.says)
		})
	}
}

func TestWebhookIsSlow(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }))
	t.Cleanup(s.Close)
	h := judgeSpec(WebhookJudge{URL: s.URL, Timeout: spec.Duration(50 * time.Millisecond)})
	res := lookAt(t, h, newFarm(t, 2).binding(1), 1)
	require.Equal(t, NoData, res.Verdict)
	require.Contains(t, res.Sentence, "no answer within 50ms")
}

// Of many targets some are named, those of the newest stage first.
func TestWebhookNamesSomeTargets(t *testing.T) {
	var asked question
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if json.NewDecoder(r.Body).Decode(&asked) == nil {
			ruling(`{"verdict":"PASS"}`)(w, r)
		}
	}))
	t.Cleanup(s.Close)
	h := judgeSpec(WebhookJudge{URL: s.URL, Timeout: seconds(5)})
	b := newFarm(t, 400).binding(300)
	b.Cohort = b.Exposed[290:]
	require.Equal(t, Pass, lookAt(t, h, b, 1).Verdict)
	require.Equal(t, 300, asked.Exposed)
	require.Len(t, asked.Targets, webhookTargets)
	require.Equal(t, "t290", asked.Targets[0])
}

// Trouble on the way is tried again, a breach may be tolerated.
func TestWebhookPatience(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			panic(http.ErrAbortHandler)
		}
		ruling(`{"verdict":"FAIL","why":"worse"}`)(w, r)
	}))
	t.Cleanup(s.Close)
	h := judgeSpec(WebhookJudge{URL: s.URL, Timeout: seconds(5)})
	h.Checks[0].Tolerate = 1
	b := newFarm(t, 2).binding(1)
	res := lookAt(t, h, b, 1)
	require.Equal(t, Unexercised, res.Verdict)
	require.Equal(t, "worse, breach 1 of 1 tolerated", res.Sentence)
	require.Equal(t, Fail, lookAt(t, h, b, 2).Verdict)
}

// A token that cannot be found is asked for nobody else's: nothing is sent.
func TestWebhookWithoutItsToken(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	t.Cleanup(s.Close)
	t.Setenv("SLUICE_TEST_JUDGE", "")
	res := lookAt(t, webhookSpec(s.URL), newFarm(t, 2).binding(1), 1)
	require.Equal(t, NoData, res.Verdict)
	require.Equal(t, "no usable answer from "+strings.TrimPrefix(s.URL, "http://")+": "+
		"token: environment variable SLUICE_TEST_JUDGE is not set or empty, set it for this process", res.Sentence)
	t.Setenv("SLUICE_TEST_JUDGE", "a\nb")
	require.Contains(t, lookAt(t, webhookSpec(s.URL), newFarm(t, 2).binding(1), 1).Sentence, "more than one line")
}

// Before anything is changed there is no release and no time.
func TestWebhookBeforeTheChange(t *testing.T) {
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body = string(data)
		ruling(`{"verdict":"PASS"}`)(w, r)
	}))
	t.Cleanup(s.Close)
	h := judgeSpec(WebhookJudge{URL: s.URL, Timeout: seconds(5)})
	m, err := Open(h, Binding{Scope: source.Scope{Unit: "edge", Stage: "canary"}}, Deps{Sources: sources, Forms: forms})
	require.NoError(t, err)
	r, err := m.LookAll(t.Context(), time.Now())
	require.NoError(t, err)
	require.Equal(t, Pass, r.Verdict())
	require.NotContains(t, body, "since")
	require.Contains(t, body, `"release":"","previous":"","stage":"canary","exposed":0,"targets":[]`)
}

// What a judge says is cut only after the token was taken out: no part of it is left, wherever the
// cut is.
func TestWebhookTokenAtTheCut(t *testing.T) {
	for pad := 0; pad < 60; pad += 3 {
		before := strings.Repeat("x", pad)
		long := strings.Repeat("y", maxReason-30) + before
		for _, answer := range []http.HandlerFunc{
			ruling(`{"verdict":"` + before + planted + `"}`),
			ruling(`{"verdict":"PASS","` + before + planted + `":1,"` + before + planted + `":2}`),
			ruling(`{"verdict":"PASS","why":"` + long + planted + `"}`),
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", before+planted) },
		} {
			require.NotContains(t, ruled(t, answer).Sentence, planted[:4])
		}
	}
}
