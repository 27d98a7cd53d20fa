package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
)

func startCommand() command {
	return command{
		name: "start", arg: "SPEC",
		short: "start a rollout",
		long: `Reads a spec and its fleet file, plans, and starts the rollout. A unit has one rollout
at a time: a second start is refused, and says who runs the first; with train: in the
spec it gets a place behind the first (see sluice train). A fleet that is
unhealthy before the change is refused too, unless you give --override and --why.

With --wait it follows the rollout and exits with its exit code, also if the very same
rollout runs already; with a guard it exits with 0 once every stage has passed. It ends
the guard of the unit's rollout before. Ctrl-C stops the watching, not the rollout. SPEC may be - for
standard input.`,
		example: "sluice start rollout.yaml --wait",
		flags: append(accessFlags(),
			&cli.BoolFlag{Name: "wait", DisableDefaultText: true, Usage: "follow the rollout to its end"},
			timeoutFlag(),
			byFlag(),
			&cli.BoolFlag{
				Name: "override", DisableDefaultText: true,
				Usage: "start even though the fleet is not healthy, a bundle differs by more than validate.change allows, " +
					"or a train has taken the release back before; needs --why. " +
					"It passes no gate: to return to an old release, see undo",
			},
			&cli.StringFlag{Name: "why", Usage: "`REASON` for --override, kept with the rollout"},
			storeFlag("of the workers' content store, for a bundle, and for a fleet too large to send"),
		),
		remote: true,
		run:    start,
	}
}

func start(ctx context.Context, con *console, c *cli.Context) error {
	timeout, by, override, err := startFlags(c)
	if err != nil {
		return err
	}
	l, err := load(ctx, con, c)
	if err != nil {
		return err
	}
	defer l.close()
	storeDir := c.String("store")
	if err := l.needsStore(storeDir); err != nil {
		return err
	}
	if err := l.fit(ctx); err != nil {
		return err
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		return err
	}
	defer r.client.Close()
	if err := r.unshared(ctx, con, l.spec); err != nil {
		return err
	}
	passed, err := r.allowed(ctx, con, &l, storeDir, override != nil)
	if err != nil {
		return err
	}
	sub, err := submission(ctx, l, by, storeDir)
	if err != nil {
		return err
	}
	sub.Override, sub.Passed = override, passed
	sub.Earlier = r.earlier(ctx, r.deployment.WorkflowID(sub.Spec.Unit), con.now())
	submit := r.submit
	if sub.Spec.Train != nil {
		submit = r.submitToTrain
	} else if err := r.alone(ctx, con, sub.Spec.Unit); err != nil {
		return err
	}
	s, err := submit(ctx, con, l, sub)
	if err != nil && c.Bool("wait") && s.WorkflowID != "" { // a job that runs again follows what it has started before
		con.say("the rollout of %s that runs has the same spec and fleet, started by %s: following it", s.Unit, s.By)
		err = nil
	}
	if err != nil {
		return err
	}
	if !c.Bool("wait") {
		return s.print(con)
	}
	if s.RunID == "" {
		s.RunID = r.runOf(ctx, s.WorkflowID, cmp.Or(timeout, longestWait))
	}
	return waitFor(ctx, con, r, s, timeout)
}

// startFlags are who starts, why in spite of what, and how long --wait may last.
func startFlags(c *cli.Context) (timeout time.Duration, by string, override *rollout.ControlRequest, err error) {
	if timeout, err = timeoutOf(c); err != nil {
		return 0, "", nil, err
	}
	if timeout > 0 && !c.Bool("wait") {
		return 0, "", nil, usagef("start: --timeout goes with --wait")
	}
	if by, err = byOf(c); err != nil {
		return 0, "", nil, err
	}
	override, err = overrideOf(c, by)
	return timeout, by, override, err
}

// longestWait is how long --wait waits for a rollout to begin.
const longestWait = 30 * 24 * time.Hour

// allowed shows how bundles differ from what the fleet runs, and refuses those that differ by more
// than the spec allows, unless that is overridden: then it answers by how much.
func (r *remote) allowed(ctx context.Context, con *console, l *loaded, storeDir string, override bool) (passed string, err error) {
	changes, excess, err := r.changes(ctx, con, l, storeDir)
	if err != nil {
		return "", err
	}
	if len(changes) > 0 {
		con.say("%s", strings.Join(changesText(changes), "\n"))
	}
	switch {
	case excess == nil:
		return "", nil
	case !override:
		return "", l.refuseExcess(excess)
	}
	passed = overridden(excess)
	con.say("let pass by --override: %s", passed)
	return passed, nil
}

// overrideOf is what lets the rollout begin on an unhealthy fleet; nil unless it was asked for,
// with a reason.
func overrideOf(c *cli.Context, by string) (*rollout.ControlRequest, error) {
	why := c.String("why")
	switch {
	case !c.Bool("override") && why != "":
		return nil, usagef("start: --why goes with --override")
	case !c.Bool("override"):
		return nil, nil
	case strings.TrimSpace(why) == "":
		return nil, usagef("start: --override needs a reason, which is kept with the rollout: --why \"…\"")
	}
	return &rollout.ControlRequest{By: by, Why: why, Override: true}, checkWhy(why)
}

// started is a rollout that was just started.
type started struct {
	Unit       string `json:"unit"`
	Release    string `json:"release"`
	Version    string `json:"version,omitempty"`
	By         string `json:"by"`
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	URL        string `json:"url,omitempty"`
	// Targets is 0 when the worker lists the fleet: then it is not known yet.
	Targets int `json:"targets"`
	Stages  int `json:"stages"`

	undoes bool // it rolls back from its first moment
}

// print says where the rollout is, and what to do next.
func (s started) print(con *console) error {
	if con.json {
		return con.object(s)
	}
	what := "started"
	if s.undoes {
		what = "undoing"
	}
	lines := [][]string{
		{what, terminal.Safe(s.Unit + " " + releaseWords(s.Release, s.Version) + " by " + s.By)},
		{"plan", s.plan()},
		{"workflow", terminal.Safe(s.WorkflowID)},
		{"run", s.RunID},
	}
	if s.URL != "" {
		lines = append(lines, []string{"web ui", s.URL})
	}
	if err := con.lines(columns(lines)); err != nil {
		return err
	}
	con.say("follow it:    sluice watch %s", s.Unit)
	if !s.undoes {
		con.say("roll it back: sluice abort %s --why \"…\"", s.Unit)
	}
	return nil
}

// plan is the size of the rollout, as far as it is known.
func (s started) plan() string {
	stages := plural(s.Stages, "stage")
	if s.undoes {
		return "every target that it touched goes back to what it ran before"
	}
	if s.Targets == 0 {
		return stages + "; the worker lists the fleet"
	}
	return plural(s.Targets, "target") + " in " + stages
}

// waitFor follows a rollout that was just started. Under --output json the lines go to stderr, and
// stdout gets one object at the end.
func waitFor(ctx context.Context, con *console, r *remote, s started, timeout time.Duration) error {
	f := follower{remote: r, unit: s.Unit, runID: s.RunID, timeout: timeout, passed: view.guarding, observer: observerFor(con)}
	if con.json {
		f.observer = textLines{con: con.onStderr()}
	}
	last, err := f.follow(ctx)
	if err != nil {
		return err
	}
	if con.json {
		if err := con.object(last); err != nil {
			return err
		}
	}
	if last.guarding() {
		con.say("all stages have passed; it is watched on: sluice watch %s", s.Unit)
		return nil
	}
	return ended(last.exitCode())
}
