package transfer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// busyEvery is the time between two tries while the model works.
const busyEvery = 30 * time.Second

// WhileBusy is a Patient that makes a request again that had no answer in time while the
// model works: calls about files hang then (anaplan-api.md 8.3), which is no stall. It
// gives up after the time that it is given.
func WhileBusy(c *anaplan.Client, m anaplan.ModelRef, most time.Duration) Patient {
	return func(ctx context.Context, f func() error) error {
		began, free := time.Now(), false
		for {
			err := f()
			if err == nil || ctx.Err() != nil || !hung(err) || time.Since(began) >= most {
				return err
			}
			if !working(ctx, c, m) {
				if free {
					return err
				}
				free = true // it may have become so just now
				continue
			}
			free = false
			if err := pause(ctx, busyEvery); err != nil {
				return err
			}
		}
	}
}

// hung says whether a request had no answer in time, ours or a gateway's.
func hung(err error) bool {
	e, ok := errors.AsType[*anaplan.Error](err)
	return errors.Is(err, anaplan.ErrNoAnswer) || ok && e.Status == http.StatusGatewayTimeout
}

// working says whether the model does something, or is being opened (anaplan-api.md 8.2).
func working(ctx context.Context, c *anaplan.Client, m anaplan.ModelRef) bool {
	status, err := c.Status(ctx, m)
	return err == nil && status.CurrentStep != "Open"
}
