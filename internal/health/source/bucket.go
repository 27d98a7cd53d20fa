package source

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bucket selects one bucket, however its bound is written.
func Bucket(selector string, bound float64) string {
	plain := strconv.FormatFloat(bound, 'f', -1, 64)
	forms := []string{plain, strconv.FormatFloat(bound, 'g', -1, 64), strconv.FormatFloat(bound, 'e', -1, 64)}
	if !strings.Contains(plain, ".") {
		forms = append(forms, plain+".0")
	}
	for i, f := range forms {
		forms[i] = regexp.QuoteMeta(f)
	}
	slices.Sort(forms)
	match := "le=~" + strconv.Quote(strings.Join(slices.Compact(forms), "|"))
	name, matchers, found := strings.Cut(selector, "{")
	if !found || strings.TrimSpace(matchers) == "}" {
		return name + "{" + match + "}"
	}
	return name + "{" + match + "," + matchers
}
