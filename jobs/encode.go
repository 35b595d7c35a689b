package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// jobVersion is the version of the form in which a run keeps its job. A change that an
// older program would read wrongly is a new version.
const jobVersion = 1

type encodedJob struct {
	Version int          `json:"v"`
	Job     *configs.Job `json:"job"`
}

// EncodeJob writes an expanded job as a run keeps it: with its values, as they were when
// the run was created, and with references to secrets as references. What only the file
// knows, where its keys stand, is left out.
func EncodeJob(job *configs.Job) (json.RawMessage, error) {
	kept := *job
	kept.Positions, kept.Warnings = nil, nil
	kept.Defaults = configs.Step{Wait: job.Defaults.Wait, Retry: job.Defaults.Retry} // the steps have taken theirs
	if job.Inline != nil {
		inline := *job.Inline
		inline.Positions = nil
		kept.Inline = &inline
	}
	kept.Steps = make([]configs.Step, len(job.Steps))
	for i, s := range job.Steps {
		s.Positions = nil
		kept.Steps[i] = s
	}
	data, err := json.Marshal(encodedJob{jobVersion, &kept})
	if err != nil {
		return nil, fmt.Errorf("encode the job: %w", err)
	}
	return data, nil
}

// DecodeJob reads what EncodeJob wrote. A job of a newer version, or with a field that is
// not known, is an error: it would run otherwise than it was meant.
func DecodeJob(data json.RawMessage) (*configs.Job, error) {
	var kept encodedJob
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&kept); err != nil {
		return nil, fmt.Errorf("decode the job of the run: %w", err)
	}
	if kept.Version != jobVersion || kept.Job == nil {
		return nil, fmt.Errorf("decode the job of the run: it is of version %d, this program knows %d; use the newer program that wrote it", kept.Version, jobVersion)
	}
	return kept.Job, nil
}
