package blob

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const (
	dropTries = 3
	dropAgain = 200 * time.Millisecond
)

// multipart is an upload in parts: they are durable, and make an object when the upload is
// completed.
type multipart struct {
	client *s3.Client
	upload upload
	sse    types.ServerSideEncryption
	key    *string // of the encryption

	mu   sync.Mutex
	cut  bool // a part was cut off, and may still come
	id   *string
	done []types.CompletedPart
}

func (m *multipart) parts() int64 { return 2 }

// begin starts the upload, once. It waits for the answer even when the writing is stopped:
// an upload whose id nobody knows cannot be taken back.
func (m *multipart) begin(ctx context.Context) (*string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id != nil {
		return m.id, nil
	}
	in := &s3.CreateMultipartUploadInput{Bucket: &m.upload.bucket, Key: &m.upload.key, ContentType: &m.upload.kind,
		Metadata: map[string]string{markName: m.upload.mark}, ServerSideEncryption: m.sse, SSEKMSKeyId: m.key}
	if m.client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32 // the parts carry it then
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropLimit)
	defer cancel()
	out, err := m.client.CreateMultipartUpload(limited, in)
	if err != nil {
		return nil, err
	}
	m.id = out.UploadId
	return m.id, nil
}

// text is nil for nothing.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (m *multipart) part(ctx context.Context, number int, body []byte) error {
	id, err := m.begin(ctx)
	if err != nil {
		return err
	}
	n := aws.Int32(int32(number))
	out, err := m.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &m.upload.bucket, Key: &m.upload.key, UploadId: id, PartNumber: n, Body: bytes.NewReader(body)})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.cut = true
		return err
	}
	m.done = append(m.done, types.CompletedPart{PartNumber: n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	return nil
}

func (m *multipart) finish(ctx context.Context) error {
	var never *string
	if m.upload.exclusive {
		never = aws.String("*")
	}
	if m.id == nil { // an upload has parts; nothing has none
		_, err := m.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &m.upload.bucket, Key: &m.upload.key, ContentType: &m.upload.kind, IfNoneMatch: never,
			Metadata: map[string]string{markName: m.upload.mark}, ServerSideEncryption: m.sse, SSEKMSKeyId: m.key, Body: bytes.NewReader(nil)})
		return err
	}
	slices.SortFunc(m.done, func(a, b types.CompletedPart) int { return int(*a.PartNumber) - int(*b.PartNumber) })
	_, err := m.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &m.upload.bucket, Key: &m.upload.key, UploadId: m.id, IfNoneMatch: never,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: m.done}})
	return err
}

// drop takes the upload back. A part that was cut off may come after that and stay, as S3's
// manual says: so it is asked again, until the upload is not known any more.
func (m *multipart) drop(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id == nil {
		return nil
	}
	for try := 1; ; try++ {
		_, err := m.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &m.upload.bucket, Key: &m.upload.key, UploadId: m.id})
		if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() == "NoSuchUpload" {
			return nil
		}
		if err != nil || !m.cut || try == dropTries {
			return err
		}
		select {
		case <-time.After(dropAgain):
		case <-ctx.Done():
			return nil // it was taken back once
		}
	}
}
