package blobstore_test

import (
	"context"
	"fmt"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob" // or s3blob, gcsblob, azureblob

	"github.com/oryne/pgtenant/tenancy/backup/blobstore"
)

// A URL names the bucket, such as "s3://backups?region=eu-central-1"; this one is in memory.
func ExampleNew() {
	ctx := context.Background()
	bucket, err := blob.OpenBucket(ctx, "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Config{}) // for backup.Config.Store
	if err != nil {
		fmt.Println(err)
		return
	}

	upload, err := store.Create(ctx, "1-north/note.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = fmt.Fprint(upload, "hello")
	fmt.Println(err, upload.Commit())
	for object, err := range store.List(ctx, "1-") {
		fmt.Println(object.Name, object.Size, err)
	}

	// Output:
	// <nil> <nil>
	// 1-north/note.txt 5 <nil>
}
