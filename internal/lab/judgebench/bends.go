package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// drift is a shared wave with a period of an hour.
func drift(r *rand.Rand, d *day) {
	phase := r.Float64() * 2 * math.Pi
	d.errors = func(i int) (float64, float64) {
		f := 1 + 0.5*math.Sin(phase+2*math.Pi*float64(i)*every.Hours())
		return f, f
	}
}

// timeOfDay is a wave with a period of a day.
func timeOfDay(r *rand.Rand, d *day) {
	phase := r.Float64() * 2 * math.Pi
	d.errors = func(i int) (float64, float64) {
		f := 1 + 0.5*math.Sin(phase+2*math.Pi*float64(i)*every.Hours()/24)
		return f, f
	}
}

// window is a stretch of looks somewhere in the bake.
func window(r *rand.Rand, length time.Duration) func(i int) bool {
	n := int(length / every)
	from := 1 + r.IntN(looks-n)
	return func(i int) bool { return i >= from && i < from+n }
}

// while multiplies the arms in some looks.
func while(in func(look int) bool, exposed, control float64) func(int) (float64, float64) {
	return func(i int) (float64, float64) {
		if in(i) {
			return exposed, control
		}
		return 1, 1
	}
}

// during multiplies both arms for a while, somewhere in the bake.
func during(r *rand.Rand, length time.Duration, by float64) func(int) (exposed, control float64) {
	return while(window(r, length), by, by)
}

func spike(r *rand.Rand, d *day) { d.errors = during(r, 3*time.Minute, 5) }

func silence(r *rand.Rand, d *day) { d.traffic = during(r, 5*time.Minute, 0) }

// apiece gives each arm a wave of its own: a factor for every look, those before the change too.
func (d *day) apiece(wave func() []float64) {
	exposed, control := wave(), wave()
	d.errors = func(i int) (float64, float64) { return exposed[i+sixHours-1], control[i+sixHours-1] }
}

func overdispersed(phi float64) func(*rand.Rand, *day) {
	return func(_ *rand.Rand, d *day) { d.bursts = phi }
}

// spells begin in each arm's looks with such a chance, last some looks, and multiply its errors.
func spells(chance float64, last int, by float64) func(*rand.Rand, *day) {
	return func(r *rand.Rand, d *day) {
		d.apiece(func() []float64 {
			out := make([]float64, sixHours+looks)
			for i := range out {
				out[i] = max(out[i], 1)
				if r.Float64() < chance {
					for j := i; j < min(i+last, len(out)); j++ {
						out[j] = by
					}
				}
			}
			return out
		})
	}
}

// longBursts begin every ten minutes in each arm, on average, and last some looks.
func longBursts(last int) func(*rand.Rand, *day) { return spells(every.Minutes()/10, last, 5) }

// rareIncidents are those of an arm, so rare that a past hardly shows more than one.
func rareIncidents() func(*rand.Rand, *day) {
	return spells(1./sixHours, int(20*time.Minute/every), 10)
}

// stained is a past with an incident of the exposed arm.
func stained(_ *rand.Rand, d *day) {
	hour := int(time.Hour / every)
	d.errors = while(func(i int) bool { return i > -2*hour && i <= -2*hour+hour/3 }, 10, 1)
}

// hiding is a short past with a recent and strong incident of the exposed arm.
func hiding(_ *rand.Rand, d *day) {
	minute := int(time.Minute / every)
	d.errors = while(func(i int) bool { return i > -8*minute && i <= -5*minute }, 50, 1)
}

// newBursts are longBursts without those from before the change.
func newBursts(last int) func(*rand.Rand, *day) {
	return func(r *rand.Rand, d *day) {
		longBursts(last)(r, d)
		after := d.errors
		d.errors = func(i int) (float64, float64) {
			if i <= 0 {
				return 1, 1
			}
			return after(i)
		}
	}
}

// ownDrift draws a factor for each arm anew every so many looks, with mean 1.
func ownDrift(every int, deviation float64) func(*rand.Rand, *day) {
	return func(r *rand.Rand, d *day) {
		d.apiece(func() []float64 {
			out, f := make([]float64, sixHours+looks), 1.0
			for i := range out {
				if i%every == 0 {
					f = gamma(r, 1/(deviation*deviation)) * deviation * deviation
				}
				out[i] = f
			}
			return out
		})
	}
}

// ramp is a share of the traffic that grows evenly while the change bakes.
func ramp(_ *rand.Rand, d *day) {
	d.traffic = func(i int) (float64, float64) {
		share := 0.01 + 0.49*float64(max(0, i-1))/(looks-1)
		all := exposedRPS + controlRPS
		return all * share / exposedRPS, all * (1 - share) / controlRPS
	}
}

func always(f float64) func(*rand.Rand, *day) {
	return func(_ *rand.Rand, d *day) { d.errors = func(int) (float64, float64) { return f, 1 } }
}

// resets lose a part of what an arm counted, in one look of twenty.
func resets(_ *rand.Rand, d *day) {
	lose := func(r *rand.Rand, c *sequential.Counts) {
		if r.Float64() < 0.05 {
			keep := r.Float64()
			bad := part(r, c.Bad, keep)
			c.Total = bad + math.Round((c.Total-c.Bad)*keep)
			c.Bad = bad
		}
	}
	d.spoil = func(r *rand.Rand, l *judge.ArmCounts) {
		lose(r, l.Exposed)
		lose(r, l.Control)
	}
}

// gaps are one look of ten missing in each arm, and three minutes in both.
func gaps(r *rand.Rand, d *day) {
	in := window(r, 3*time.Minute)
	d.spoil = func(r *rand.Rand, l *judge.ArmCounts) {
		away := in(int(l.At / every))
		if away || r.Float64() < 0.1 {
			l.Exposed = nil
		}
		if away || r.Float64() < 0.1 {
			l.Control = nil
		}
	}
}

// wander is a log-normal factor of each arm that returns to its mean within so long.
func wander(within time.Duration, sigma float64) func(*rand.Rand, *day) {
	return func(r *rand.Rand, d *day) {
		keep := math.Exp(-every.Seconds() / within.Seconds())
		d.apiece(func() []float64 {
			out, x := make([]float64, sixHours+looks), r.NormFloat64()
			for i := range out {
				x = keep*x + math.Sqrt(1-keep*keep)*r.NormFloat64()
				out[i] = math.Exp(sigma*x - sigma*sigma/2)
			}
			return out
		})
	}
}

// hourly is a job on each arm, at some minute of the hour of its own.
func hourly(r *rand.Rand, d *day) {
	hour, job := int(time.Hour/every), int(2*time.Minute/every)
	d.apiece(func() []float64 {
		out, from := make([]float64, sixHours+looks), r.IntN(hour)
		for i := range out {
			if out[i] = 1; (i+from)%hour < job {
				out[i] = 5
			}
		}
		return out
	})
}

// restart is a look in which the exposed arm fails ten requests more.
func restart(r *rand.Rand, d *day) {
	in := window(r, every)
	d.spoil = func(_ *rand.Rand, l *judge.ArmCounts) {
		if in(int(l.At / every)) {
			l.Exposed.Bad, l.Exposed.Total = l.Exposed.Bad+10, l.Exposed.Total+10
		}
	}
}

// idleControl has no traffic but in one look of four.
func idleControl(_ *rand.Rand, d *day) {
	d.traffic = while(func(i int) bool { return i > 0 && i%4 > 0 }, 1, 0)
}

// autoscaling doubles and halves what one exposed target gets.
func autoscaling(r *rand.Rand, d *day) {
	phase := r.IntN(40)
	d.traffic = func(i int) (float64, float64) {
		if (i+phase+40*looks)/20%2 == 0 {
			return 2, 1
		}
		return 0.5, 1
	}
}

// sticky is traffic of few large clients that stay where they are for a while: the exposed arm's is
// log-normal.
func sticky(within time.Duration) func(*rand.Rand, *day) {
	return func(r *rand.Rand, d *day) {
		wander(within, 0.6)(r, d)
		part := d.errors
		d.errors = even
		d.traffic = func(i int) (float64, float64) {
			exposed, _ := part(i)
			return exposed, 1
		}
	}
}

// unequalAgain is unequal each hour, at some minute of it.
func unequalAgain(r *rand.Rand, d *day) {
	hour, from := int(time.Hour/every), r.IntN(int(time.Hour/every))
	d.errors = while(func(i int) bool { return (i+from+hour*8)%hour < int(3*time.Minute/every) }, 10, 5)
}

// unequal is a shared incident, twice as bad on the exposed arm.
func unequal(r *rand.Rand, d *day) {
	spike(r, d)
	both := d.errors
	d.errors = func(i int) (float64, float64) {
		e, c := both(i)
		if e > 1 {
			e *= 2
		}
		return e, c
	}
}
