package data

import (
	"fmt"
	"time"
)

func (f Found) modified() time.Time {
	var newest time.Time
	for _, e := range f.Entries {
		if e.Modified.After(newest) {
			newest = e.Modified
		}
	}
	return newest
}

func (g Guard) age(modified time.Time, with Against) error {
	if g.MaxAge == nil {
		return nil
	}
	const next = "find out why no new one was written, or raise max_age"
	if modified.IsZero() {
		return &GuardError{"max_age", "nothing says when it was written", "take the guard out: this kind of source does not tell"}
	}
	modified = modified.In(with.Now.Location())
	if g.MaxAge.Days > 0 {
		begun := businessDays(modified, with.Now, g.MaxAge.Days+1, with.BusinessDay)
		if begun <= g.MaxAge.Days {
			return nil
		}
		return &GuardError{"max_age", fmt.Sprintf("it was written %s, more than %d business days ago", modified.Format(time.RFC3339), g.MaxAge.Days), next}
	}
	if age := with.Now.Sub(modified); age > g.MaxAge.Duration {
		return &GuardError{"max_age", fmt.Sprintf("it was written %s, %s ago; it may be %s old", modified.Format(time.RFC3339),
			age.Round(time.Second), g.MaxAge.Duration), next}
	}
	return nil
}

// businessDays counts the business days that begin after from and not after to, in the
// time zone of to. It stops at most.
func businessDays(from, to time.Time, most int, is func(time.Time) bool) int {
	if is == nil {
		is = func(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }
	}
	n := 0
	y, m, d := from.In(to.Location()).Date()
	for i := 1; n < most; i++ {
		day := time.Date(y, m, d+i, 0, 0, 0, 0, to.Location())
		if day.After(to) {
			break
		}
		if is(day) {
			n++
		}
	}
	return n
}
