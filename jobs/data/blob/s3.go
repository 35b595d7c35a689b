package blob

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	gcaws "gocloud.dev/aws"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// s3Service is Amazon S3, and what speaks like it.
type s3Service struct {
	tries int // of a request
}

func (s3Service) credentials() string {
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role; AWS_REGION or ?region= says where the bucket is"
}

func (s3Service) unspeakable() string { return "" }

// open takes the parameters of gocloud.dev/blob/s3blob. It makes the client itself, as that
// writes warnings of its own to stderr otherwise.
func (s s3Service) open(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	q := u.Query()
	var options s3blob.Options
	client := []func(*s3.Options){func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true
		o.Retryer = retry.AddWithMaxAttempts(o.Retryer, s.tries)
	}}
	for _, name := range []string{"ssetype", "kmskeyid", "accelerate", "disable_https", "use_path_style", "s3ForcePathStyle"} {
		value := q.Get(name)
		q.Del(name)
		if value == "" {
			continue
		}
		switch name {
		case "ssetype":
			options.EncryptionType = types.ServerSideEncryption(value)
			continue
		case "kmskeyid":
			options.KMSEncryptionID = value
			continue
		}
		on, err := strconv.ParseBool(value)
		if err != nil {
			return nil, &parameterError{name + " is not true or false"}
		}
		client = append(client, func(o *s3.Options) {
			switch name {
			case "accelerate":
				o.UseAccelerate = on
			case "disable_https":
				o.EndpointOptions.DisableHTTPS = on
			default:
				o.UsePathStyle = on
			}
		})
	}
	cfg, err := gcaws.V2ConfigFromURLParams(ctx, q)
	if err != nil {
		return nil, parameter(err)
	}
	if cfg.Region == "" {
		return nil, &parameterError{"it is not known in which region the bucket is"}
	}
	options.RequestChecksumCalculation = cfg.RequestChecksumCalculation
	return s3blob.OpenBucket(ctx, s3.NewFromConfig(cfg, client...), u.Host, &options)
}

// etag is a version as all three requests of a service give it.
func etag(text string) string { return strings.Trim(strings.TrimPrefix(text, "W/"), `"`) }

func quoted(version string) string { return `"` + version + `"` }

func (s3Service) listed(o *blob.ListObject) string {
	var raw types.Object
	if o.As(&raw) && raw.ETag != nil {
		return etag(*raw.ETag)
	}
	return sizeAndTime(o.Size, o.ModTime)
}

func (s3Service) attributes(a *blob.Attributes) string {
	if a.ETag != "" {
		return etag(a.ETag)
	}
	return sizeAndTime(a.Size, a.ModTime)
}

func (s3Service) reading(r *blob.Reader) string {
	var raw s3.GetObjectOutput
	if r.As(&raw) && raw.ETag != nil {
		return etag(*raw.ETag)
	}
	return sizeAndTime(r.Size(), r.ModTime())
}

func (s3Service) readIf(version string) before {
	if version == "" {
		return nil
	}
	return func(as func(any) bool) error {
		var in *s3.GetObjectInput
		if as(&in) {
			in.IfMatch = aws.String(quoted(version))
		}
		return nil
	}
}

func (s3Service) copyIf(version string, exclusive bool) before {
	return func(as func(any) bool) error {
		var in *s3.CopyObjectInput
		if as(&in) {
			in.CopySourceIfMatch = aws.String(quoted(version))
			if exclusive {
				in.IfNoneMatch = aws.String("*")
			}
		}
		return nil
	}
}

// removeIf asks for nothing: few servers but Amazon's know conditions of removals, and
// some refuse them.
func (s3Service) removeIf(string) before { return nil }

func (s3Service) stage(b *blob.Bucket, u upload) staging {
	var client *s3.Client
	b.As(&client)
	q, _ := url.ParseQuery(u.query)
	return &multipart{client: client, upload: u, sse: types.ServerSideEncryption(q.Get("ssetype")), key: text(q.Get("kmskeyid"))}
}
