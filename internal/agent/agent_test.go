package agent

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
)

// The life of a unit: uploaded, prepared, ordered, settled, another, removed.
func TestLife(t *testing.T) {
	r := newRig(t, nil)
	one, two := makeRelease(t, "one"), makeRelease(t, "two")
	require.Equal(t, Status{Alive: true, ID: "web-1", Unit: unitName, Good: []string{}, Prepared: []string{}}, r.status())
	r.must(424)(r.order(10, one.name))
	r.must(424)(r.prepare(one.name))
	require.Zero(t, r.status().Fence, "nothing has happened")
	r.must(201)(r.upload(one))
	r.must(200)(r.upload(one))
	r.must(200)(r.ask(http.MethodGet, "units/features", "", nil))

	r.must(204)(r.prepare(one.name))
	require.Equal(t, []string{one.name}, r.status().Prepared)
	require.Empty(t, r.status().Release, "it switches nothing")
	r.whole(release{})

	r.must(204)(r.order(10, one.name))
	r.whole(one)
	require.Equal(t, "one", r.loaded())
	require.Equal(t, Status{
		Release: one.name, Fence: 10, Alive: true, ID: "web-1", Unit: unitName, Good: []string{}, Prepared: []string{one.name},
		Desired: Desired{one.name, 10}, State: Applied,
	}, r.status())
	r.must(204)(r.order(10, one.name))
	require.Equal(t, 1, r.reloads(), "the same order again has no effect")
	r.must(409)(r.order(9, two.name))

	r.must(409)(r.settle(9, one.name))
	r.must(409)(r.settle(10, two.name))
	r.must(204)(r.settle(10, one.name))
	r.must(204)(r.settle(10, one.name))
	require.Equal(t, []string{one.name}, r.status().Good)

	r.run(11, two)
	r.whole(two)
	require.Equal(t, []string{two.name, one.name}, r.status().Good)
	r.must(204)(r.order(12, one.name))
	r.whole(one)

	r.must(204)(r.order(13, ""))
	r.whole(release{})
	require.Empty(t, r.loaded())
	require.Empty(t, r.status().Release)
	require.True(t, r.status().Alive)
	r.must(204)(r.settle(13, ""))
	require.Empty(t, r.status().Good)
}

// Each way in which an order can come to nothing, from a good release that must stay.
func TestOrdersThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		files  []string
		change func(*Unit)
		says   string
	}{
		"check refuses":         {files: []string{"refuse"}, says: "line 7: no such feature"},
		"check changes files":   {files: []string{"scribble"}, says: "check changed files"},
		"reload fails":          {files: []string{"unreloadable"}, says: "reload says no"},
		"reload hangs":          {files: []string{"hang"}, change: func(u *Unit) { u.Timeout = 3e9 }, says: "not done within 3s"},
		"confirm is never true": {files: []string{"unconfirmed"}, says: "confirm: not within"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.change)
			good, bad := makeRelease(t, "good"), makeRelease(t, "bad", c.files...)
			r.run(10, good)
			r.must(201)(r.upload(bad))
			said := r.must(422)(r.order(11, bad.name))
			require.Contains(t, said, c.says)
			r.whole(good)
			require.Equal(t, "good", r.loaded())
			s := r.status()
			require.True(t, s.Alive, s.Detail)
			require.Equal(t, Refused, s.State)
			require.Contains(t, s.Why, c.says)
			require.Equal(t, Desired{bad.name, 11}, s.Desired)
			require.Equal(t, []string{good.name}, s.Good)

			reloads := r.reloads()
			require.Contains(t, r.must(422)(r.order(11, bad.name)), c.says)
			require.Equal(t, reloads, r.reloads(), "the same order is not tried again")
			r.must(409)(r.settle(11, bad.name))
			r.must(204)(r.order(11, good.name)) // the same fence is accepted
			require.Equal(t, Desired{good.name, 11}, r.status().Desired)
			require.Equal(t, Applied, r.status().State)
			r.must(204)(r.order(12, good.name))
			require.Equal(t, reloads, r.reloads(), "the way back finds it there")

			r.stop()
			r.start()
			require.Equal(t, Applied, r.status().State)
			require.EqualValues(t, 12, r.status().Fence)
			r.whole(good)
		})
	}
}

// What was uploaded half, wrong or hostile leaves nothing behind.
func TestUploadsThatAreRefused(t *testing.T) {
	r := newRig(t, nil)
	rel, other := makeRelease(t, "one"), makeRelease(t, "other")
	config := rel.table.Config()
	archive := rel.upload[8+len(config):]
	flipped := append([]byte{}, rel.upload...)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		body []byte
		want int
	}{
		"nothing":                {nil, 422},
		"a length alone":         {rel.upload[:8], 422},
		"half a table":           {rel.upload[:8+len(config)/2], 422},
		"no archive":             {rel.upload[:8+len(config)], 422},
		"half an archive":        {rel.upload[:len(rel.upload)-700], 422},
		"a byte too many":        {append(append([]byte{}, rel.upload...), 0), 422},
		"a flipped byte":         {flipped, 422},
		"another bundle":         {other.upload, 422},
		"its table, other files": {framed(config, other.upload[8+len(other.table.Config()):]), 422},
		"a table without end":    {append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, archive...), 422},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := r.ask(http.MethodPut, "bundles/"+rel.name, "", c.body, "Content-Type", bundle.MediaType)
			require.Equal(t, c.want, code, body)
			left, err := os.ReadDir(r.agent.disk.bundles())
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
	r.must(400)(r.ask(http.MethodPut, "bundles/sha256:zz", "", rel.upload, "Content-Type", bundle.MediaType))
	r.must(400)(r.ask(http.MethodPut, "bundles/..%2fstate", "", rel.upload, "Content-Type", bundle.MediaType))
	r.must(400)(r.ask(http.MethodPut, "bundles/"+rel.name, "", rel.upload, "Content-Type", "text/plain"))
	r.must(201)(r.upload(rel))

	// What was kept and is damaged is no bundle any more, and another upload mends it.
	kept := filepath.Join(r.agent.disk.bundles(), hexOf(rel.name))
	require.NoError(t, os.WriteFile(kept, flipped, 0o600))
	r.must(424)(r.prepare(rel.name))
	r.must(201)(r.upload(rel))
	r.must(204)(r.prepare(rel.name))
}
