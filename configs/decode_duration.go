package configs

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s scope) duration(e entry, least time.Duration) (time.Duration, bool) {
	const form = `write a number with a unit, as in "90s", "45m", "2h", "1h30m" or "2d"`
	v, ok := e.value.(string)
	if !ok {
		instead := form
		if n, isNumber := e.value.(int64); isNumber {
			instead = fmt.Sprintf(`write "%ds" for seconds, "%dm" for minutes, "%dh" for hours`, n, n, n)
		}
		s.badType(e, "a duration", instead)
		return 0, false
	}
	d, err := parseDuration(v)
	switch {
	case err != nil:
		instead := form
		if fixed := repairDuration(v); fixed != "" {
			instead = fmt.Sprintf("write %q", fixed)
		}
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not a duration%s", v, err), instead)
	case d < least && least == 1:
		s.wrong(e.at, e.name, "must be more than 0", form)
	case d < least:
		s.wrong(e.at, e.name, fmt.Sprintf("%q is too short", v), fmt.Sprintf("the least is %s", least))
	default:
		return d, true
	}
	return 0, false
}

func (s scope) clock(e entry) (string, bool) {
	v, ok := e.value.(string)
	if !ok {
		s.badType(e, "a time of day", `write it in quotes, as in "06:30"`)
		return "", false
	}
	if _, err := time.Parse("15:04", v); err != nil || len(v) != len("15:04") {
		instead := `write hours and minutes of a 24-hour clock, as in "06:30"`
		for _, form := range []string{"15:04", "15:04:05", "3:04pm", "3:04 pm", "3:04PM", "3:04 PM", "1504", "15.04", "15h04"} {
			if t, err := time.Parse(form, strings.TrimSpace(v)); err == nil {
				instead = fmt.Sprintf("write %q", t.Format("15:04"))
				break
			}
		}
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not a time of day", v), instead)
		return "", false
	}
	return v, true
}

// units of a duration, longest name first where one begins another.
var units = []struct {
	name string
	is   time.Duration
}{{"ms", time.Millisecond}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// durationError says what is wrong with a duration, as the end of a sentence.
type durationError string

func (e durationError) Error() string { return string(e) }

// parseDuration reads "2h", "1h30m", "1.5h", "30d". A day has 24 hours.
func parseDuration(s string) (time.Duration, error) {
	const most = math.MaxInt64 / 2
	var sum time.Duration
	rest := s
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, durationError("")
		}
		rest = rest[digits:]
		if rest == "" {
			return 0, durationError(": it has no unit")
		}
		i := slices.IndexFunc(units, func(u struct {
			name string
			is   time.Duration
		}) bool {
			return strings.HasPrefix(rest, u.name)
		})
		if i < 0 {
			if strings.HasPrefix(rest, "bd") {
				return 0, durationError(": business days (bd) are for max_age, and a whole number of them alone")
			}
			return 0, durationError("")
		}
		unit := units[i].is
		if n > float64(most/unit) || sum > most/2 {
			return 0, durationError(": it is too long")
		}
		whole := time.Duration(n)
		sum += whole*unit + time.Duration(math.Round((n-float64(whole))*float64(unit)))
		rest = rest[len(units[i].name):]
	}
	if s == "" {
		return 0, durationError("")
	}
	return sum, nil
}

// repairDuration guesses what was meant by "2 hours" or "90 Min"; empty: no idea.
func repairDuration(s string) string {
	fixed := strings.NewReplacer(" ", "", "milliseconds", "ms", "seconds", "s", "second", "s", "secs", "s", "sec", "s",
		"minutes", "m", "minute", "m", "mins", "m", "min", "m", "hours", "h", "hour", "h", "hrs", "h", "hr", "h",
		"days", "d", "day", "d").Replace(strings.ToLower(s))
	if _, err := parseDuration(fixed); err != nil {
		return ""
	}
	return fixed
}
