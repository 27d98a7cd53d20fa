package validate

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/data"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Change decides by how much a bundle differs from the old one, which the fleet runs. The new one
// has passed Check.
func Change(v spec.ChangeLimits, old, new bundle.Read) []Finding {
	if v.Of == "" {
		return judge(v, "", "file", files(old.Bundle, new.Bundle), &data.Value{})
	}
	place, err := data.ParsePlace(v.Of)
	if err != nil {
		return []Finding{{"validate.change.of", strictyaml.Problem{Message: err.Error()}}}
	}
	c := checking(new)
	is := c.entries("validate.change.of", v.Of)
	if is == nil {
		return c.findings
	}
	var was *data.Value
	if content, ok := old.Contents[place.File]; ok {
		whole, err := data.Read(place.File, content)
		if err != nil {
			why := fmt.Sprintf("the entries that the fleet runs cannot be counted: %s", err)
			return []Finding{{"validate.change.of", strictyaml.Problem{Message: why}}}
		}
		was = whole.At(place.Pointer)
	}
	return judge(v, v.Of, "entry", data.Entries(was, is), is)
}

// files counts how the files of two bundles differ.
func files(old, new bundle.Bundle) data.Count {
	c := data.Count{Old: len(old.Files), New: len(new.Files)}
	was := old.ByPath()
	for _, f := range new.Files {
		switch before, ok := was[f.Path]; {
		case !ok:
			c.Added++
		case before != f:
			c.Changed++
		}
	}
	c.Removed = c.Old + c.Added - c.New
	return c
}

// judge compares a count with the limits. At is where the entries are now.
func judge(v spec.ChangeLimits, place, what string, c data.Count, at *data.Value) []Finding {
	k := checker{}
	tell := func(setting string, n int, most *spec.Number, did string) {
		share := c.Share(n)
		if most == nil || share <= float64(*most)+1e-9 {
			return
		}
		is, limit := humanize.Apart(humanize.PercentTo, 2, share, float64(*most))
		message := fmt.Sprintf("%s of %s %s %s, %s, at most %s", integer(n), integer(c.Old), plural(what), did, is, limit)
		if place == "" {
			k.setting(setting, "%s", message)
			return
		}
		k.file(setting, place, at, "%s: %s", place, message)
	}
	tell("validate.change.maxRemoved", c.Removed, v.MaxRemoved, "removed")
	did := fmt.Sprintf("not as they were (%s changed, %s added, %s removed)", integer(c.Changed), integer(c.Added), integer(c.Removed))
	tell("validate.change.maxChanged", c.Touched(), v.MaxChanged, did)
	return k.findings
}

func plural(what string) string {
	if what == "entry" {
		return "entries"
	}
	return what + "s"
}
