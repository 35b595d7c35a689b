package cli

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// leastMemory is what --memory may be at least.
const leastMemory = 1 << 20

func memoryFlag() cli.Flag {
	return &cli.StringFlag{Name: "memory", Value: "128MiB", Usage: "`SIZE` of the memory for bytes on their way, of all transfers together", Category: "Data:"}
}

// parallelFlag and uploadFlags are for the commands that move one file.
func parallelFlag() cli.Flag {
	return &cli.IntFlag{Name: "parallel", Value: transfer.DefaultParallel, Usage: "move `N` chunks at a time", Category: "Data:"}
}

func uploadFlags() []cli.Flag {
	return []cli.Flag{
		parallelFlag(),
		&cli.StringFlag{Name: "gzip", Value: transfer.GzipAuto, Usage: "`LEVEL` of compression, 1 to 9; auto: as it suits the line; or off", Category: "Data:"},
		&cli.StringFlag{Name: "chunk-size", Usage: "`SIZE` of a chunk before compression, up to 50MB; default: by the size of the file", Category: "Data:"},
		memoryFlag(),
	}
}

// garbage is how much of the memory in use may be garbage, in percent. Most of it are bytes
// on their way, which are used again and cost a collection nothing: as much again of
// garbage, as is usual, would be more than --memory says. Until garbageFrom, as long as
// memory is first taken, it is more than usual: to take it would cost a collection each time
// that it has doubled, and there is no garbage yet.
const (
	garbage      = 20
	firstGarbage = 400
	garbageFrom  = 500 * time.Millisecond
)

// memoryOf is the memory that the call allows. Garbage is collected as that asks for, unless
// $GOGC says otherwise.
func memoryOf(c *cli.Context) (*transfer.Budget, error) {
	n, err := sizeOf(c, "memory", leastMemory, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(firstGarbage)
		time.AfterFunc(garbageFrom, func() { debug.SetGCPercent(garbage) })
	}
	return transfer.NewBudget(n), nil
}

// sizeOf reads a flag; 0 when it is empty.
func sizeOf(c *cli.Context, flag string, least, most int64) (int64, error) {
	said := c.String(flag)
	if said == "" {
		return 0, nil
	}
	n, ok := configs.ParseSize(said)
	if !ok || n < least || n > most {
		return 0, usage(fmt.Sprintf("write --%s 10MB", flag), "--%s %s: it is no size, or too small or large", flag, said)
	}
	return n, nil
}

// parallelOf reads --parallel.
func parallelOf(c *cli.Context) (int, error) {
	n := c.Int("parallel")
	if n < 1 || n > 64 {
		return 0, usage("write --parallel 4", "--parallel %d is not between 1 and 64", n)
	}
	return n, nil
}

// uploadOf reads the flags of an upload.
func uploadOf(c *cli.Context) (u transfer.Upload, err error) {
	if u.Parallel, err = parallelOf(c); err != nil {
		return u, err
	}
	if u.Memory, err = memoryOf(c); err != nil {
		return u, err
	}
	if u.ChunkSize, err = sizeOf(c, "chunk-size", 1, transfer.MaxChunk); err != nil {
		return u, err
	}
	u.Gzip = c.String("gzip")
	if level, err := strconv.Atoi(u.Gzip); u.Gzip != transfer.GzipAuto && u.Gzip != transfer.GzipOff && (err != nil || level < 1 || level > 9) {
		return u, usage("write --gzip auto, --gzip off, or a level from 1 to 9", "--gzip %s is none of them", u.Gzip)
	}
	return u, nil
}
