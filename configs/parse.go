package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// jobShapes are the tables of a job file, for hints about keys in the wrong table.
func jobShapes() []shapeInfo {
	return []shapeInfo{jobTable.info(), anaplanTable.info(), authTable.info(), urlKeys.info(), paramTable.info(), defaultsTable.info(),
		stepTable.info(), fileTable.info(), actionTable.info(), guardTable.info(), acceptTable.info(), retryTable.info(), waitTable.info(),
		onEndTable.info(), sourceTable.info(), waitForTable.info(), afterTable.info(), targetTable.info(), transferTable.info(),
		controlTable.info(), guardCommandTable.info(), vaultTable.info()}
}

// Parse decodes a job file, and validates it as far as that is possible without a login
// and without values: `file` is its path, for messages and as the base of relative paths.
// It reads nothing else. Everything that is wrong comes back at once as [Problems], and
// the job is nil.
func Parse(file string, data []byte) (*Job, error) {
	text, problem := textOf(jobFile, file, data)
	if problem != nil {
		return nil, Problems{*problem}.err()
	}
	root, problems := parseDocument(file, text)
	if root == nil {
		return nil, problems.err()
	}
	sum := sha256.Sum256(data)
	j := &Job{File: file, Dir: filepath.Dir(file), Digest: hex.EncodeToString(sum[:]), Positions: Positions{}}
	d := &decoder{file: file, shapes: jobShapes(), problems: problems}
	s := scope{decoder: d, marks: j.Positions}
	decode(s, jobTable, root, j)
	finish(j)
	validate(s, j)
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	return j, nil
}
