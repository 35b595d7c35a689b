package configs

import (
	"encoding/json"
	"fmt"
	"time"
)

// Age is a length of time, or a number of business days.
type Age struct {
	Duration time.Duration
	Days     int // business days: at most so many begin between the two dates; then Duration is 0
}

// String is the age as a sentence has it: "26h0m0s", "2 business days".
func (a Age) String() string {
	switch a.Days {
	case 0:
		return a.Duration.String()
	case 1:
		return "1 business day"
	}
	return fmt.Sprintf("%d business days", a.Days)
}

// writtenAge is an age of business days as JSON.
type writtenAge struct{ Days int }

// MarshalJSON writes a length of time as a number of nanoseconds, as it was written before
// there were business days.
func (a Age) MarshalJSON() ([]byte, error) {
	if a.Days == 0 {
		return json.Marshal(a.Duration)
	}
	return json.Marshal(writtenAge{a.Days})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Age) UnmarshalJSON(data []byte) error {
	var d time.Duration
	if err := json.Unmarshal(data, &d); err == nil {
		*a = Age{Duration: d}
		return nil
	}
	var w writtenAge
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*a = Age{Days: w.Days}
	return nil
}
