package promapi

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Clock is how an API's time compares with that of who asks.
type Clock struct {
	// Ahead is how far the API's clock is ahead; negative where it is behind, and 0 where the
	// difference may come from the way.
	Ahead time.Duration
	// Late is how long before the time that it is asked about the API answers as of, on purpose:
	// what is newer may not be complete. It is 0 where the API shows no such habit.
	Late time.Duration
}

// Clock asks the API for its time, and compares that with a clock. It is not ok where nothing
// tells.
func (c Client) Clock(ctx context.Context, now func() time.Time) (out Clock, ok bool) {
	u := c.raw.URL("/api/v1/query", nil)
	q := u.Query()
	q.Set("query", "time()")
	u.RawQuery = q.Encode()
	req, err := http.NewRequest(http.MethodGet, u.String(), nil) //nolint:noctx // Do gives it one
	if err != nil {
		return out, false
	}
	req.Header.Set("Cache-Control", "no-cache")
	sent := now()
	res, body, _ := c.raw.Do(ctx, req) // an error's answer has a Date, too
	got := now()
	if res == nil {
		return out, false
	}
	way := got.Sub(sent)
	off := func(t time.Time) time.Duration { // 0 where the way may make up for it
		by := t.Sub(sent.Add(way / 2))
		if by.Abs() <= way+Second {
			return 0
		}
		return by.Round(time.Millisecond)
	}
	date, dated := DateOf(res.Header)
	at, late, ok := evaluatedAt(body)
	switch {
	case !ok && !dated:
		return out, false
	case !ok:
		return Clock{Ahead: off(date)}, true
	case dated && off(date) == 0 && off(at) < 0 && off(at) >= -mostLate: // it is the answer that is behind
		return Clock{Late: late - off(at)}, true
	}
	return Clock{Ahead: off(at), Late: late}, true
}

// mostLate is how late an API may answer on purpose.
const mostLate = 2 * time.Minute

// Second is how exactly a Date tells the time.
const Second = time.Second

// DateOf is when an answer was written, by the clock of who wrote it. It is not ok where the answer
// does not say.
func DateOf(h http.Header) (time.Time, bool) {
	at, err := http.ParseTime(h.Get("Date"))
	return at.Add(Second / 2), err == nil
}

// evaluatedAt reads when time() was evaluated. Its value is that time, or late before it on
// purpose: anything else is no answer to the question.
func evaluatedAt(body []byte) (at time.Time, late time.Duration, ok bool) {
	var answer struct {
		Data struct {
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return at, 0, false
	}
	var pair [2]json.RawMessage
	var series []struct {
		Value [2]json.RawMessage `json:"value"`
	}
	switch {
	case json.Unmarshal(answer.Data.Result, &series) == nil && len(series) == 1:
		pair = series[0].Value
	case json.Unmarshal(answer.Data.Result, &pair) != nil:
		return at, 0, false
	}
	var stamp float64
	var text string
	if json.Unmarshal(pair[0], &stamp) != nil || json.Unmarshal(pair[1], &text) != nil {
		return at, 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || stamp < 1e8 || !(math.Abs(value-stamp) <= mostLate.Seconds()) {
		return at, 0, false
	}
	if late = time.Duration(1000*(stamp-value)) * time.Millisecond; late <= Second {
		late = 0
	}
	return time.UnixMilli(int64(1000 * stamp)), late, true
}
