package blobstore_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/blobstore"
	"github.com/oryne/pgtenant/tenancy/backup/storetest"
)

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) backup.Store { return open(t, memblob.OpenBucket(nil)) })
}

func TestFilesAreAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) backup.Store {
		bucket, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
		require.NoError(t, err)
		return open(t, bucket)
	})
}

func TestS3IsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) backup.Store { return open(t, s3Bucket(t)) })
}

func TestAPrefixOfABucketIsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) backup.Store { return open(t, blob.PrefixedBucket(s3Bucket(t), "backups/")) })
}

func TestOneOfTwoUploadsOfOneNameFails(t *testing.T) {
	t.Parallel()
	for name, bucket := range map[string]*blob.Bucket{"memory": memblob.OpenBucket(nil), "S3": s3Bucket(t)} {
		s := open(t, bucket)
		first, err := s.Create(t.Context(), "1-a/x")
		require.NoError(t, err)
		second, err := s.Create(t.Context(), "1-a/x")
		require.NoError(t, err)
		for _, u := range []backup.Upload{first, second} {
			_, err = u.Write([]byte(name))
			require.NoError(t, err)
		}
		require.NoError(t, second.Commit())
		assert.ErrorIs(t, first.Commit(), blobstore.ErrExists)
	}
}

func TestInvalidStoresAreRefused(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	_, err := blobstore.New(nil, blobstore.Config{})
	assert.Error(t, err, "a bucket of nil was accepted")
	for _, size := range []int{-1, 1, 5<<20 - 1} {
		_, err := blobstore.New(bucket, blobstore.Config{PartSize: size})
		assert.Error(t, err, "parts of %d bytes were taken", size)
	}
}

// s3Bucket returns an empty bucket of an S3 server of its own.
func s3Bucket(t testing.TB) *blob.Bucket {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, Region: "eu-central-1", UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	})
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("backups")})
	require.NoError(t, err)
	bucket, err := s3blob.OpenBucket(t.Context(), client, "backups", nil)
	require.NoError(t, err)
	return bucket
}

func open(t testing.TB, bucket *blob.Bucket) *blobstore.Store {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	s, err := blobstore.New(bucket, blobstore.Config{PartSize: 5 << 20})
	require.NoError(t, err)
	return s
}
