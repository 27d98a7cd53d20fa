package health

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluicehq/sluice/internal/promapi"
)

// jsonOf reads a bounded answer in JSON. An error that is a refusal does not change
// by asking again.
func jsonOf(res *http.Response) ([]byte, error) {
	if res.StatusCode != http.StatusOK {
		err := fmt.Errorf("it answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
		if c := res.StatusCode; c/100 == 5 || c == http.StatusTooManyRequests || c == http.StatusRequestTimeout {
			return nil, err
		}
		return nil, promapi.Refusal(err.Error())
	}
	if kind := res.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return nil, promapi.Refusal(fmt.Sprintf("it answered %q, not JSON", cut(kind, 60)))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnswer {
		return nil, promapi.Refusal(fmt.Sprintf("it answered more than %d MiB", maxAnswer>>20))
	}
	return data, nil
}

// reader reads a body; none is nil.
func reader(body []byte) io.Reader {
	if body == nil {
		return nil
	}
	return bytes.NewReader(body)
}

// hostOf names where a URL leads, without what else it may hold.
func hostOf(where string) string {
	u, err := url.Parse(where)
	if err != nil {
		return "its address"
	}
	return u.Host
}
