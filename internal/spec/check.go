package spec

// Check is one health question with its criterion. It has either Value with Max and/or Min or with
// Against, or counts with Max, Against or Objective, or Exercise alone. Counts are Bad and Total,
// or Slow. It is asked about all exposed targets together, or with Each about every one of them.
//
// With a Prometheus source the expressions are PromQL with the placeholders $exposed, $cohort,
// $control (label matchers), $window, $release, $previous, $unit and $stage. With a scrape source
// they are plain selectors, such as http_requests_total{code=~"5.."}.
type Check struct {
	Name string `yaml:"name" json:"name"`
	// Value is a number that must stay inside Max and Min, or whose mean over targets and looks is
	// compared by Against.
	Value string  `yaml:"value,omitempty" json:"value,omitempty"`
	Max   *Number `yaml:"max,omitempty" json:"max,omitempty"`
	Min   *Number `yaml:"min,omitempty" json:"min,omitempty"`
	// Drop and Rise are by how much the mean may be below and above that of the other arm, as a
	// share of it.
	Drop *Number `yaml:"drop,omitempty" json:"drop,omitempty"`
	Rise *Number `yaml:"rise,omitempty" json:"rise,omitempty"`
	// Tolerate is how many breaches in a row are forgiven. Default 0, with a probe 2.
	Tolerate int `yaml:"tolerate,omitempty" json:"tolerate" jsonschema:"minimum=0,maximum=1000"`
	// Bad and Total count events; their ratio is judged.
	Bad   string `yaml:"bad,omitempty" json:"bad,omitempty"`
	Total string `yaml:"total,omitempty" json:"total,omitempty"`
	// Slow counts requests by a histogram, in the place of Bad and Total.
	Slow *Slow `yaml:"slow,omitempty" json:"slow,omitempty"`
	// Against "control" compares exposed targets with those not reached yet, "before" with
	// themselves before the stage.
	Against string `yaml:"against,omitempty" json:"against,omitempty" jsonschema:"enum=control,enum=before"`
	// Worse is by how much the exposed ratio may exceed the other arm's, as a share of it: 20% is
	// 0.2. Default 0.
	Worse *Number `yaml:"worse,omitempty" json:"worse,omitempty"`
	// Match names a label of the fleet: targets are compared with those that have the same value of
	// it.
	Match string `yaml:"match,omitempty" json:"match,omitempty"`
	// Objective is the share of events that must not be bad: 99.9% is 0.999.
	Objective *Number `yaml:"objective,omitempty" json:"objective,omitempty"`
	// Burn is how many times faster bad events may come than Objective allows. Default 1.
	Burn Number `yaml:"burn,omitempty" json:"burn,omitempty"`
	// GroupBy names a label of the fleet: the targets of each of its values are judged on their
	// own.
	GroupBy string `yaml:"group_by,omitempty" json:"group_by,omitempty"`
	// MinSamples is how many events in total each arm must have shown before the check can pass or
	// fail. Default 100. Of a Value with Against it is how many numbers, one for each target and
	// look. Default 30.
	MinSamples int `yaml:"minSamples,omitempty" json:"minSamples" jsonschema:"minimum=1"`
	// Weight is the check's part of Health.FalseRollbackRate, beside those of the others. Default
	// 1.
	Weight Number `yaml:"weight,omitempty" json:"weight,omitempty"`
	// Advisory checks are measured and shown, and never decide.
	Advisory bool `yaml:"advisory,omitempty" json:"advisory,omitempty"`
	// Exercise says how often what is judged must have happened.
	Exercise *Exercise `yaml:"exercise,omitempty" json:"exercise,omitempty"`
	// Each "target" judges every exposed target on its own. With a Prometheus source the
	// expressions then answer one series per target, with the label that Identify names; MinSamples
	// is of one target.
	Each string `yaml:"each,omitempty" json:"each,omitempty" jsonschema:"enum=target"`
	// Outliers is how many targets may breach in a look of a check with Each. Default 0.
	Outliers int `yaml:"outliers,omitempty" json:"outliers,omitempty" jsonschema:"minimum=0,maximum=10000"`
	// Form is a form that has settings of its own, under its name, such as probe.
	Form Choice `yaml:",open=forms" json:"-" jsonschema:"-"`
}

// MarshalJSON writes Form under its name.
func (c Check) MarshalJSON() ([]byte, error) {
	type fixed Check
	return marshalBeside(fixed(c), c.Form)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Check) UnmarshalJSON(data []byte) error {
	type fixed Check
	return unmarshalBeside(data, (*fixed)(c), &c.Form)
}

// Exercise says that what is judged must have happened: while Count is less than Min, nothing is
// known.
type Exercise struct {
	// Count counts what the exposed targets did.
	Count string `yaml:"count" json:"count"`
	// Min is how often at least, all of them together.
	Min int `yaml:"min" json:"min" jsonschema:"minimum=1"`
}

// Counts says whether the check is about bad events out of all.
func (c Check) Counts() bool { return c.Total != "" || c.Slow != nil }

// Means says whether the check is about the mean of a number over targets.
func (c Check) Means() bool { return c.Value != "" && c.Against != "" && c.Each == "" }

// Budgeted says whether the check is a test that has a part of Health.FalseRollbackRate. The other
// forms, and every one with Each, have rules of their own.
func (c Check) Budgeted() bool {
	return c.Each == "" && (c.Against != "" || c.Objective != nil || c.Slow != nil) || c.formTests()
}

// formTests says that the check has a form with a key of its own that is a test: only such ones
// have a weight.
func (c Check) formTests() bool { return c.Form.Name != "" && c.Weight > 0 }

// PerTarget says whether the source must tell one target from another.
func (c Check) PerTarget() bool { return c.Each != "" || c.Means() || c.formTests() }

// Values of Check.Against, and the only one of Check.Each so far.
const (
	AgainstControl = "control"
	AgainstBefore  = "before"
	EachTarget     = "target"
)
