package agent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Phase is how far the newest order is.
type Phase string

// The phases of an order. Before the first one it is empty.
const (
	Applying Phase = "applying"
	Applied  Phase = "applied"
	Refused  Phase = "refused"
)

// State is what is kept of a unit, on disk. What runs is not part of it: that is where the link
// leads. Releases are named by digest; an empty one is that nothing is installed.
type State struct {
	// Fence and Desired are those of the newest order that was accepted.
	Fence   int64  `json:"fence"`
	Desired string `json:"desired"`
	// Key is the id of the key that signed it; empty where it was given directly.
	Key string `json:"key,omitempty"`
	// Fences are those of the newest orders by other keys, by their ids.
	Fences map[string]int64 `json:"fences,omitempty"`
	Phase  Phase            `json:"state,omitempty"`
	// Why is the reason of a refusal. While the order is being applied it says that it failed, and
	// that the link goes back.
	Why string `json:"why,omitempty"`
	// Again says that the same order may be given again: what refused it may pass.
	Again bool `json:"again,omitempty"`
	// Broken says what is wrong with the consumer since a way back failed, too.
	Broken string `json:"broken,omitempty"`
	// Removed says that the newest order that was in effect took the unit off.
	Removed bool `json:"removed,omitempty"`
	// Back says that the newest order puts a release back: there is nothing else to go back to.
	Back bool `json:"back,omitempty"`
	// Before is what ran when the order came; of an order that puts back, its own release.
	Before string `json:"before,omitempty"`
	// Good are those whose rollouts settled, newest first.
	Good []string `json:"good,omitempty"`
	// Ran are those that were in effect, newest first.
	Ran []string `json:"ran,omitempty"`
	// Prepared are those that were unpacked and checked, newest first.
	Prepared []string `json:"prepared,omitempty"`
	// Signed are the newest releases that came with a signature, newest first.
	Signed []Signed `json:"signed,omitempty"`
	// Since is when Phase last changed.
	Since time.Time `json:"since,omitzero"`
	// Rollout and Stage are whose order it is, where it says so.
	Rollout string `json:"rollout,omitempty"`
	Stage   string `json:"stage,omitempty"`
}

// Signed is a release with the signature by which it was taken.
type Signed struct {
	Release   string `json:"release"`
	Signature []byte `json:"signature"`
}

// Order is what a unit is asked to run.
type Order struct {
	Release string
	Fence   int64
	// Key is the id of the key that signed it; empty where it was given directly.
	Key string
	// Back says that the release is put back, and that the one that it replaces is condemned.
	Back bool
	// Until is when it ends to be good, by this host's clock; zero for never.
	Until time.Time
	// Rollout and Stage are for metrics; empty where the order does not say.
	Rollout, Stage string
}

// givesWay says that an order that only waits ends for another one: a newer one, or its own way
// back.
func (o Order) givesWay(to Order) bool {
	return to.Fence > o.Fence || to.Back && to.Fence == o.Fence
}

// answer is what an order meets before anything is done about it.
type answer int

const (
	begin    answer = iota // apply it
	already                // it is in effect
	fenced                 // a newer one was here
	repeated               // it was refused, and would be again
)

// admit decides what an order meets, where running is what the link leads to, and intact that its
// files are as they were and that the consumer is not known to be broken. A refused order is for
// what does not run, unless it broke it.
func admit(s State, running string, intact bool, o Order) answer {
	same := o.Fence == s.Fence && o.Key == s.Key && o.Release == s.Desired
	switch {
	case o.Fence < s.bar(o.Key):
		return fenced
	case same && s.Phase == Refused && !s.Again:
		return repeated
	case o.Release == running && intact && (s.Phase == Applied || s.Phase == Refused):
		return already
	}
	return begin
}

// bar is the newest fence by any of the keys: those that have a say. What a key that was taken away
// has given does not count.
func (s State) bar(keys ...string) (bar int64) {
	for _, k := range keys {
		if k == s.Key {
			bar = max(bar, s.Fence)
		}
		bar = max(bar, s.Fences[k])
	}
	return bar
}

// knows says that a release has passed its check here.
func (s State) knows(release string) bool {
	return release == "" || s.ran(release) || slices.Contains(s.Prepared, release)
}

// ran says that a release has been in effect here, and may be put back.
func (s State) ran(release string) bool {
	return slices.Contains(s.Good, release) || slices.Contains(s.Ran, release)
}

// signatureOf is the signature that came with a release; nil for none.
func (s State) signatureOf(release string) []byte {
	for _, one := range s.Signed {
		if one.Release == release {
			return one.Signature
		}
	}
	return nil
}

// signed is the state in which a release has come with a signature.
func (s State) signed(release string, signature []byte, keep int) State {
	others := slices.DeleteFunc(slices.Clone(s.Signed), func(one Signed) bool { return one.Release == release })
	all := append([]Signed{{release, signature}}, others...)
	s.Signed = all[:min(len(all), keep)]
	return s
}

// home is where the link goes when an order for a release fails: to the newest good one; without
// any, to what ran before. A good one is not left: what fails there is the consumer, not the
// release. Nor is one that is put back: what was there before it is condemned.
func (s State) home(release string) string {
	switch {
	case s.Back || slices.Contains(s.Good, release):
		return release
	case len(s.Good) > 0 && !s.Removed:
		return s.Good[0]
	}
	return s.Before
}

// intent is the state in which an order is about to be applied. What an order before it had put
// there, and nobody has seen to work, is nothing to go back to, and what an order to go back leaves
// is forgotten.
func (s State) intent(o Order, running string, keep int) State {
	if o.Back {
		s = s.without(o.Release, running, s.Desired)
		s.Before = o.Release
	} else if s.Phase != Applying || running != s.Desired {
		s.Before, s.Ran = running, first(s.Ran, running, keep)
	}
	if o.Key != s.Key {
		s.Fences = maps.Clone(s.Fences)
		if s.Fences == nil {
			s.Fences = map[string]int64{}
		}
		s.Fences[s.Key] = s.bar(s.Key)
		s.Key = o.Key
	}
	s.Fence, s.Desired, s.Back, s.Rollout, s.Stage = o.Fence, o.Release, o.Back, o.Rollout, o.Stage
	s.Phase, s.Why, s.Again = Applying, "", false
	return s
}

// without is the state that knows no more of the condemned, unless that is what is put back.
func (s State) without(back string, condemned ...string) State {
	for _, list := range []*[]string{&s.Good, &s.Ran, &s.Prepared} {
		*list = slices.DeleteFunc(slices.Clone(*list), func(r string) bool { return r != back && slices.Contains(condemned, r) })
	}
	return s
}

// landed is the state in which the order is in effect. An older good release that is put back is
// the newest good one again, and after a removal nothing is: what was undone must not be gone back
// to.
func (s State) landed(keep int) State {
	s.Phase, s.Why, s.Again, s.Broken = Applied, "", false, ""
	if s.Removed = s.Desired == ""; s.Back && slices.Contains(s.Good, s.Desired) {
		s.Good = first(s.Good, s.Desired, keep)
	}
	s.Ran = first(s.Ran, s.Desired, keep)
	return s
}

// refused is the state in which the order came to nothing. What has been in effect here may be
// asked for again, since it is the consumer's fault, or the machine's, that it is not; so may what
// is put back.
func (s State) refused(why string) State {
	s.Phase, s.Why = Refused, why
	s.Again = s.Back || s.Desired == "" || s.ran(s.Desired)
	return s
}

// settled is the state in which what runs is good.
func (s State) settled(o Order, running string, keep int) (State, error) {
	switch {
	case o.Key != s.Key:
		return s, errors.New("the newest order is by another key")
	case o.Fence != s.Fence:
		return s, fmt.Errorf("the newest order has the fence %d, not %d", s.Fence, o.Fence)
	case o.Release != s.Desired || s.Phase != Applied:
		return s, fmt.Errorf("the newest order is for %s, and is %s", named(s.Desired), orNone(s.Phase))
	case o.Release != running:
		return s, fmt.Errorf("what runs is %s", named(running))
	case o.Release == "":
		s.Good = nil
	default:
		s.Good, s.Removed = first(s.Good, o.Release, keep), false
		s.Prepared = slices.DeleteFunc(slices.Clone(s.Prepared), func(r string) bool { return r == o.Release })
	}
	return s, nil
}

// prepared is the state in which a release is ready.
func (s State) prepared(release string, keep int) State {
	s.Prepared = first(s.Prepared, release, keep)
	return s
}

// keeps are the releases whose files stay, where running is what the link leads to.
func (s State) keeps(running string) map[string]bool {
	all := map[string]bool{s.Desired: true, s.Before: true, running: true}
	for _, list := range [][]string{s.Good, s.Ran, s.Prepared} {
		for _, r := range list {
			all[r] = true
		}
	}
	delete(all, "")
	return all
}

// action is what is to be done after a start.
type action int

const (
	rest    action = iota // nothing was under way
	finish                // the link was switched: reload, and look
	abandon               // the link was not switched: nothing has happened, and nothing will
	goBack                // it failed: put back what is at home
)

// recoverFrom decides what to do after a start, by where the link leads. An order whose link was
// not switched is not carried on: nobody knows how old it is, and whoever gave it gives it again.
func recoverFrom(s State, running string, present bool) action {
	switch {
	case s.Phase != Applying:
		return rest
	case s.Why != "":
		return goBack
	case running != s.Desired:
		return abandon
	case running != "" && !present:
		return goBack
	}
	return finish
}

// first is a list with a release at its head, of at most keep.
func first(list []string, release string, keep int) []string {
	if release == "" {
		return list
	}
	out := append([]string{release}, slices.DeleteFunc(slices.Clone(list), func(r string) bool { return r == release })...)
	return out[:min(len(out), keep)]
}

func named(release string) string {
	if release == "" {
		return "no release"
	}
	return release
}

func orNone(p Phase) string {
	if p == "" {
		return "none yet"
	}
	return string(p)
}
