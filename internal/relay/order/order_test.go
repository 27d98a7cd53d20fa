package order_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/relay/order"
)

func newSigner(t testing.TB) signature.Signer {
	t.Helper()
	s, _, err := signature.Generate()
	require.NoError(t, err)
	return s
}

func valid() order.Document {
	return order.Document{
		Unit: "features", Cohort: "eu", Selector: []string{"web-1"}, Step: order.Apply,
		Release: "sha256:" + strings.Repeat("a", 64), Fence: 12, NotAfter: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC),
	}
}

// Only an order to apply is a way back; others are as they were before there was the word.
func TestBack(t *testing.T) {
	by := newSigner(t)
	plain, err := valid().Sign(by)
	require.NoError(t, err)
	require.NotContains(t, string(plain), "back")
	d := valid()
	d.Back = true
	data, err := d.Sign(by)
	require.NoError(t, err)
	got, err := order.Verify(data, []signature.Key{by.Key()})
	require.NoError(t, err)
	require.True(t, got.Back)
	for _, step := range []order.Step{order.Prepare, order.Settle} {
		d.Step = step
		_, err = d.Sign(by)
		require.ErrorIs(t, err, order.ErrInvalid, step)
	}
}

func TestSignAndVerify(t *testing.T) {
	one, two := newSigner(t), newSigner(t)
	data, err := valid().Sign(one)
	require.NoError(t, err)
	again, err := valid().Sign(one)
	require.NoError(t, err)
	require.Equal(t, data, again, "always the same bytes")
	for _, keys := range [][]signature.Key{{one.Key()}, {two.Key(), one.Key()}} {
		d, err := order.Verify(data, keys)
		require.NoError(t, err)
		want := valid()
		want.KeyID = one.Key().ID()
		require.Equal(t, want, d)
	}
	_, err = order.Verify(data, []signature.Key{two.Key()})
	require.ErrorIs(t, err, signature.ErrUnsigned)
	require.ErrorContains(t, err, one.Key().ID())
	_, err = order.Verify(data, nil)
	require.ErrorContains(t, err, "0 public keys")
}

// Whatever one byte becomes, the order is no order any more, but for what nobody signed.
func TestEveryByteCounts(t *testing.T) {
	by := newSigner(t)
	data, err := valid().Sign(by)
	require.NoError(t, err)
	comment := bytes.Index(data, []byte("untrusted comment: ")) + len("untrusted comment: ")
	end := comment + bytes.IndexByte(data[comment:], '\n')
	for i := range data {
		last := i+1 < len(data) && data[i+1] == '='              // of base64, whose last two bits say nothing
		if i >= comment && i < end || last || i == len(data)-1 { // the last line end
			continue
		}
		for _, flip := range []byte{1, 0x20, 0x80} {
			bad := bytes.Clone(data)
			bad[i] ^= flip
			_, err := order.Verify(bad, []signature.Key{by.Key()})
			require.Error(t, err, "byte %d: %q", i, bad)
		}
	}
	for i := range end {
		_, err := order.Verify(data[:i], []signature.Key{by.Key()})
		require.Error(t, err)
	}
}

func TestSignRefuses(t *testing.T) {
	by := newSigner(t)
	for want, change := range map[string]func(*order.Document){
		`"Features" is not a unit`: func(d *order.Document) { d.Unit = "Features" },
		`"" is not a cohort`:       func(d *order.Document) { d.Cohort = "" },
		"it selects no target":     func(d *order.Document) { d.Selector = nil },
		`"../web" is not the id`:   func(d *order.Document) { d.Selector = []string{"web-1", "../web"} },
		`the step is "undo"`:       func(d *order.Document) { d.Step = "undo" },
		"it prepares no release":   func(d *order.Document) { d.Step, d.Release = order.Prepare, "" },
		`"2.4.1" is not the name`:  func(d *order.Document) { d.Release = "2.4.1" },
		"the fence is -1":          func(d *order.Document) { d.Fence = -1 },
		"it has no end":            func(d *order.Document) { d.NotAfter = time.Time{} },
	} {
		d := valid()
		change(&d)
		_, err := d.Sign(by)
		require.ErrorIs(t, err, order.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	d := valid()
	d.Step, d.Release = order.Settle, ""
	_, err := d.Sign(by)
	require.NoError(t, err, "a removal is settled, too")
}

// What is signed well, and not written as Sign writes it, has two readings.
func TestOnlyOneForm(t *testing.T) {
	by := newSigner(t)
	data, err := valid().Sign(by)
	require.NoError(t, err)
	text, _, _ := strings.Cut(string(data), "untrusted comment")
	sign := func(text string) []byte {
		signed, err := by.SignText([]byte(text), "", "")
		require.NoError(t, err)
		return append([]byte(text), signed...)
	}
	_, err = order.Verify(sign(text), []signature.Key{by.Key()})
	require.NoError(t, err)
	for name, other := range map[string]string{
		"space":          strings.Replace(text, `{"unit"`, `{ "unit"`, 1),
		"field twice":    strings.Replace(text, `"fence":12`, `"fence":99,"fence":12`, 1),
		"unknown field":  strings.Replace(text, `"fence":12`, `"fence":12,"force":true`, 1),
		"other case":     strings.Replace(text, `"fence"`, `"Fence"`, 1),
		"other zone":     strings.Replace(text, `.006Z`, `.006+00:00`, 1),
		"other kind":     strings.Replace(text, "order", "bundle", 1),
		"a value behind": strings.Replace(text, "}\n", "}{}\n", 1),
		"another key":    strings.Replace(text, by.Key().ID(), "0123456789ABCDEF", 1),
	} {
		require.NotEqual(t, text, other, name)
		_, err := order.Verify(sign(other), []signature.Key{by.Key()})
		require.ErrorIs(t, err, order.ErrInvalid, name)
	}
}

// Minisign itself verifies an order.
func TestMinisignVerifies(t *testing.T) {
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("minisign is not installed")
	}
	by, dir := newSigner(t), t.TempDir()
	data, err := valid().Sign(by)
	require.NoError(t, err)
	at := bytes.Index(data, []byte("untrusted comment"))
	for name, content := range map[string]string{
		"o": string(data[:at]), "o.minisig": string(data[at:]),
		"k": "untrusted comment: k\n" + by.Key().String() + "\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	out, err := exec.CommandContext(t.Context(), program, "-V", "-m", filepath.Join(dir, "o"), "-p", filepath.Join(dir, "k")).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), fmt.Sprintf("unit: features fence: %d", valid().Fence))
}

// Nothing that is not signed is an order, and what can be read is in its one form.
func FuzzRead(f *testing.F) {
	by := newSigner(f)
	data, err := valid().Sign(by)
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte("sluice order v1\n{}\n"))
	f.Fuzz(func(t *testing.T, mutant []byte) {
		d, err := order.Read(mutant)
		if err != nil {
			require.ErrorIs(t, err, order.ErrInvalid)
			_, err = order.Verify(mutant, []signature.Key{by.Key()})
			require.Error(t, err)
			return
		}
		d.KeyID = ""
		again, err := d.Sign(by)
		require.NoError(t, err)
		same, err := order.Verify(again, []signature.Key{by.Key()})
		require.NoError(t, err)
		require.Equal(t, d.Selector, same.Selector)
		if got, err := order.Verify(mutant, []signature.Key{by.Key()}); err == nil {
			want := valid()
			want.KeyID = by.Key().ID()
			require.Equal(t, want, got, "nobody has signed another one")
		}
	})
}
