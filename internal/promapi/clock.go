package promapi

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Ahead asks the API for its time, and answers how far that is ahead of a clock; negative
// where it is behind, and 0 where the difference may come from the way. It is not ok where
// nothing tells.
func (c Client) Ahead(ctx context.Context, now func() time.Time) (ahead time.Duration, ok bool) {
	u := c.raw.URL("/api/v1/query", nil)
	q := u.Query()
	q.Set("query", "time()")
	u.RawQuery = q.Encode()
	req, err := http.NewRequest(http.MethodGet, u.String(), nil) //nolint:noctx // Do gives it one
	if err != nil {
		return 0, false
	}
	req.Header.Set("Cache-Control", "no-cache")
	sent := now()
	res, body, _ := c.raw.Do(ctx, req) // an error's answer has a Date, too
	got := now()
	if res == nil {
		return 0, false
	}
	said, ok := evaluatedAt(body)
	if !ok {
		said, ok = DateOf(res.Header)
	}
	way := got.Sub(sent)
	ahead = said.Sub(sent.Add(way / 2))
	if !ok || ahead.Abs() <= way+Second {
		return 0, ok
	}
	return ahead.Round(time.Millisecond), true
}

// Second is how exactly a Date tells the time.
const Second = time.Second

// DateOf is when an answer was written, by the clock of who wrote it. It is not ok where the
// answer does not say.
func DateOf(h http.Header) (time.Time, bool) {
	at, err := http.ParseTime(h.Get("Date"))
	return at.Add(Second / 2), err == nil
}

// evaluatedAt reads when time() was evaluated. Its value is that time, or a server's delay
// before it: anything else is no answer to the question.
func evaluatedAt(body []byte) (time.Time, bool) {
	var answer struct {
		Data struct {
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return time.Time{}, false
	}
	var pair [2]json.RawMessage
	var series []struct {
		Value [2]json.RawMessage `json:"value"`
	}
	switch {
	case json.Unmarshal(answer.Data.Result, &series) == nil && len(series) == 1:
		pair = series[0].Value
	case json.Unmarshal(answer.Data.Result, &pair) != nil:
		return time.Time{}, false
	}
	var at float64
	var text string
	if json.Unmarshal(pair[0], &at) != nil || json.Unmarshal(pair[1], &text) != nil {
		return time.Time{}, false
	}
	value, err := strconv.ParseFloat(text, 64)
	const mostDelay = 120
	if err != nil || at < 1e8 || !(math.Abs(value-at) <= mostDelay) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(1000 * at)), true
}
