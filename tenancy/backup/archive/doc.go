// Package archive reads and writes the file format of a tenant's backup: a tar stream with data and
// without SQL.
//
//	w, err := archive.NewWriter(file, header, archive.WriterOptions{Recipients: recipients})
//	t, err := w.Table("students") // in the order of header.Tables
//	...                           // COPY ... TO STDOUT (FORMAT csv, HEADER) into t
//	err = t.Close(rows)
//	manifest, err := w.Close()
//
//	r, err := archive.NewReader(file, archive.ReaderOptions{Identities: identities})
//	for {
//		t, err := r.Next()
//		if err == io.EOF {
//			break // the manifest has been verified
//		}
//		... // COPY ... FROM STDIN (FORMAT csv, HEADER) out of t
//	}
//
// FORMAT.md beside package backup describes the entries. The format uses only common formats: tar,
// zstd, CSV and JSON, and age around the whole archive if there are recipients.
//
// # Trust
//
// A [Reader] treats its input as hostile. It accepts only the entries of the format, under their
// exact names, in their exact order, and with sizes within [Limits]. It holds one part in memory.
// Rows are verified only when [Reader.Next] has returned io.EOF.
//
// The manifest's checksums detect damage. They do not prove who wrote an archive. Neither does
// encryption, because anyone can encrypt for a recipient. Use [WriterOptions].SigningKey and
// [ReaderOptions].TrustedKeys for that.
//
// # Memory
//
// Reader and writer process a table part by part ([DefaultPartSize]). They hold a few parts in
// memory, whatever the size of the table.
package archive
