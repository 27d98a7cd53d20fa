package agent

import (
	"encoding/base64"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/relay/order"
)

// keyFile has a public key, and answers its reference.
func (r *rig) keyFile(name string, s signature.Signer) string {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(r.dir(name), []byte(s.Key().String()), 0o600))
	return "file:" + r.dir(name)
}

// asksFor sets the keys of the unit, and starts the agent anew.
func (r *rig) asksFor(signers ...signature.Signer) {
	r.t.Helper()
	r.stop()
	u := r.config.Units[unitName]
	u.Keys = nil
	for _, s := range signers {
		u.Keys = append(u.Keys, r.keyFile(s.Key().ID(), s))
	}
	r.config.Units[unitName] = u
	r.start()
}

func signed(t testing.TB, by signature.Signer, unit string, rel release) []byte {
	t.Helper()
	s, err := by.Sign(unit, rel.name)
	require.NoError(t, err)
	return s
}

func (r *rig) uploadWith(rel release, signatures ...[]byte) (int, string) {
	r.t.Helper()
	header := []string{"Content-Type", bundle.MediaType}
	for _, s := range signatures {
		header = append(header, signature.Header, base64.StdEncoding.EncodeToString(s))
	}
	return r.ask(http.MethodPut, "bundles/"+rel.name, "", rel.upload, header...)
}

// Nothing of a bundle is written unless one of the keys has signed it for the unit, now or after a
// restart.
func TestOnlySigned(t *testing.T) {
	r := newRig(t, nil)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	r.run(1, one) // from before signatures were asked for
	key, next, stranger := newSigner(t), newSigner(t), newSigner(t)
	r.asksFor(key, next)

	flipped := signed(t, key, unitName, two)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		came [][]byte
		says string
	}{
		"none":            {nil, "no signature has come"},
		"another key":     {[][]byte{signed(t, stranger, unitName, two)}, "is by key " + stranger.Key().ID() + ", expected " + key.Key().ID() + " or " + next.Key().ID()},
		"another unit":    {[][]byte{signed(t, key, "flags", two)}, "is not over release " + two.name + " of unit " + unitName},
		"another release": {[][]byte{signed(t, key, unitName, one)}, "is not over release " + two.name},
		"a flipped byte":  {[][]byte{flipped}, "not signed"},
		"garbage":         {[][]byte{[]byte("yes")}, "it is not a signature of minisign"},
	} {
		for range 2 {
			state := r.status()
			said := r.must(428)(r.uploadWith(two, c.came...))
			require.Contains(t, said, c.says, name)
			require.Contains(t, said, "sluice bundle sign DIGEST --unit "+unitName, name)
			r.must(428)(r.prepare(two.name))
			r.must(428)(r.order(2, two.name))
			require.Equal(t, state, r.status(), name)
			require.Equal(t, []string{hexOf(one.name)}, r.names("agent", "bundles"), name)
			require.Equal(t, []string{hexOf(one.name)}, r.names("agent", "releases", unitName), name)
			r.stop()
			r.start()
		}
	}
	r.must(400)(r.ask(http.MethodPut, "bundles/"+two.name, "", two.upload, "Content-Type", bundle.MediaType, signature.Header, "?"))

	r.must(201)(r.uploadWith(two, signed(t, stranger, unitName, two), signed(t, next, unitName, two)))
	r.must(204)(r.prepare(two.name))
	r.stop()
	r.start()
	r.must(204)(r.order(2, two.name)) // nothing comes with it
	r.must(204)(r.back(2, one.name))  // nor with the way back, to one that nobody has signed
	r.must(204)(r.order(3, two.name))
	r.whole(two)
}

// A key that was taken out has no say any more, unless what it signed has been in effect.
func TestOnlySignedAfterAChangeOfKeys(t *testing.T) {
	r := newRig(t, nil)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	key, next := newSigner(t), newSigner(t)
	r.asksFor(key)
	r.must(201)(r.uploadWith(one, signed(t, key, unitName, one)))
	r.must(204)(r.order(1, one.name))
	r.must(201)(r.uploadWith(two, signed(t, key, unitName, two)))
	r.must(204)(r.prepare(two.name))
	r.asksFor(next)
	r.must(428)(r.order(2, two.name))
	r.must(200)(r.uploadWith(two, signed(t, next, unitName, two)))
	r.must(204)(r.order(2, two.name))
	r.must(204)(r.back(2, one.name))
	r.whole(one)
}

// Where only some units ask for signatures, a bundle of the others is kept, and given to those
// only.
func TestOnlySignedUnits(t *testing.T) {
	r := newRig(t, nil)
	r.stop()
	key := newSigner(t)
	flags := r.config.Units[unitName]
	flags.To, flags.Keys = r.dir("flags"), []string{r.keyFile("key", key)}
	r.config.Units["flags"] = flags
	r.start()
	one := makeRelease(t, "1")
	r.must(201)(r.upload(one))
	r.must(204)(r.order(1, one.name))
	prepare := func() (int, string) {
		return r.ask(http.MethodPost, "units/flags/prepare", "", orderBody(one.name))
	}
	r.must(428)(prepare())
	r.must(200)(r.uploadWith(one, signed(t, key, unitName, one)))
	r.must(428)(prepare())
	r.must(200)(r.uploadWith(one, signed(t, key, "flags", one)))
	r.must(204)(prepare())
}

// Behind a relay signatures come with orders.
func TestOnlySignedBehindARelay(t *testing.T) {
	r := newRelayed(t)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	r.stock(one)
	r.runs(10, one)
	key := newSigner(t)
	r.asksFor(key)
	with := func(signatures ...[]byte) func(*order.Document) {
		return func(d *order.Document) { d.Signatures = signatures }
	}
	for _, step := range []order.Step{order.Prepare, order.Apply} {
		require.Equal(t, 428, r.give(r.document(step, 20, two.name)).Status)
		got := r.give(r.document(step, 20, two.name, with(signed(t, r.by, unitName, two))))
		require.Equal(t, 428, got.Status, "the key of orders is none of bundles")
		require.Contains(t, got.Why, "expected "+key.Key().ID())
		require.Equal(t, []string{hexOf(one.name)}, r.names("agent", "bundles"))
	}
	require.Equal(t, 424, r.give(r.document(order.Prepare, 20, two.name, with(signed(t, key, unitName, two)))).Status)
	r.stock(two)
	require.Equal(t, 204, r.give(r.document(order.Prepare, 20, two.name)).Status, "the signature is kept")
	require.Equal(t, 204, r.give(r.document(order.Apply, 20, two.name)).Status)
	require.Equal(t, 204, r.give(r.document(order.Apply, 20, one.name, func(d *order.Document) { d.Back = true })).Status)
	r.whole(one)
}
