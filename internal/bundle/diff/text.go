package diff

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/sluicehq/sluice/internal/bundle/data"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/terminal"
)

// maxShown is how many bytes of a value are shown, and maxLine how many of a line.
const maxShown, maxLine = 80, 200

// values tells the differences of two values; where there are none, only their spelling differs.
func (f *File) values(changes []data.Change, most int) {
	for _, c := range changes {
		f.Form = Values
		at := c.Pointer
		if at == "" {
			at = "the whole file"
		}
		switch {
		case c.Old == nil:
			f.Added++
			f.keep("+ "+at+": "+c.New.Text(maxShown), most)
		case c.New == nil:
			f.Removed++
			f.keep("- "+at+": "+c.Old.Text(maxShown), most)
		default:
			f.Changed++
			f.keep("~ "+at+": "+c.Old.Text(maxShown)+" -> "+c.New.Text(maxShown), most)
		}
	}
}

// texts tells the differences of two texts by line.
func (f *File) texts(old, new string, most int) {
	f.Form = Lines
	unified, err := udiff.ToUnified("", "", old, udiff.Lines(old, new), 2)
	if err != nil { // the edits are not those of the text: never
		f.Form = Bytes
		return
	}
	lines := strings.Split(strings.TrimSuffix(unified, "\n"), "\n")
	for _, line := range lines[min(2, len(lines)):] { // after the names of the files
		switch {
		case strings.HasPrefix(line, "+"):
			f.Added++
		case strings.HasPrefix(line, "-"):
			f.Removed++
		}
		f.keep(line, most)
	}
}

// Text shows the files in at most most lines, each safe for a terminal and not long, and says how
// much is left out.
func Text(files []File, most int) []string {
	var out []string
	left := 0
	add := func(line string) {
		if len(out) < most {
			out = append(out, line)
		} else {
			left++
		}
	}
	for _, f := range files {
		add(terminal.Safe(f.Path) + ": " + f.summary())
		for _, line := range f.lines {
			add("  " + cut(terminal.Safe(line)))
		}
		left += f.more
	}
	if left > 0 {
		out = append(out, "… and "+count(left, "more line"))
	}
	return out
}

// summary is what became of a file, in a few words.
func (f File) summary() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{f.Changed, "changed"}, {f.Added, "added"}, {f.Removed, "removed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", count(p.n, strings.TrimSuffix(f.Form, "s")), p.what))
		}
	}
	switch f.Kind {
	case Added:
		return fmt.Sprintf("added, %s bytes", humanize.Integer(float64(f.New.Size)))
	case Removed:
		return fmt.Sprintf("removed, it had %s bytes", humanize.Integer(float64(f.Old.Size)))
	}
	if f.Kind == Changed && f.Form == Bytes {
		parts = append(parts, fmt.Sprintf("%s bytes (%.12s) -> %s bytes (%.12s)",
			humanize.Integer(float64(f.Old.Size)), f.Old.SHA256, humanize.Integer(float64(f.New.Size)), f.New.SHA256))
	}
	if f.Old.Mode != f.New.Mode {
		parts = append(parts, "mode "+f.Old.Mode+" -> "+f.New.Mode)
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return humanize.Integer(float64(n)) + " " + what
}

// cut bounds a line that is safe.
func cut(line string) string {
	if len(line) <= maxLine {
		return line
	}
	return strings.ToValidUTF8(line[:maxLine], "") + "…"
}
