package jobs

import (
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
)

// lineEvery is how often a line tells of a transfer that goes on: short ones have none.
const lineEvery = 30 * time.Second

// Moving is the progress of a step of which a server file is moved.
func Moving(step string, phase Phase, file string, m transfer.Moved) Progress {
	p := Progress{Step: step, Phase: phase, Text: file, Done: -1, Moved: m}
	if m.Total > 0 {
		p.Done = float64(m.Bytes) / float64(m.Total)
	}
	return p
}

// MovingLines logs how far one transfer is, for where nobody sees a bar: one line in 30
// seconds, none for a transfer that is shorter, and one when it stands still. What it returns
// is called by one goroutine at a time.
func MovingLines(l logrus.FieldLogger, phase Phase, file string) func(transfer.Moved) {
	return transfer.Seldom(lineEvery, func(m transfer.Moved) {
		l = l.WithFields(logrus.Fields{"bytes": m.Bytes, "bytes_per_s": int64(m.Rate), "total_bytes": nil, "left_s": nil})
		if m.Total >= 0 {
			l = l.WithField("total_bytes", m.Total)
		}
		if m.Left >= 0 {
			l = l.WithField("left_s", int64(m.Left.Seconds()))
		}
		l.Infof("%s %q: %s", phase, file, m)
	})
}

// moving tells how far a transfer of the step is.
func (s *step) moving(phase Phase, file string) func(transfer.Moved) {
	lines := MovingLines(s.run.logger().WithField("run", s.run.req.ID.Run).WithField("step", s.plan.Name), phase, file)
	return func(m transfer.Moved) {
		s.progress(Moving(s.plan.Name, phase, file, m))
		lines(m)
	}
}

// pace is how long a transfer took, and how fast it was; empty where that is not known.
func pace(bytes int64, took time.Duration) string {
	if took <= 0 {
		return ""
	}
	return fmt.Sprintf(", in %s, %s/s", took.Round(time.Millisecond), transfer.Size(int64(float64(bytes)/took.Seconds())))
}
