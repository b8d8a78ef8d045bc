package archive

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// pipeline compresses parts in several goroutines. Another goroutine writes them in their order.
type pipeline struct {
	w       *Writer
	encoder *zstd.Encoder
	free    chan *part // empty parts; their number bounds the memory
	work    chan *part // parts to compress
	queue   chan *part // parts to write, in order
	ended   sync.WaitGroup

	mu  sync.Mutex
	err error // first error
}

// part is a piece of a table's CSV.
type part struct {
	entry  string
	sum    *tableSum
	last   bool // whether it is the last part of its table
	raw    []byte
	packed []byte
	done   chan struct{} // receives a value when packed is complete
}

// newPipeline starts the goroutines. It has two parts more than workers: one that is being filled
// and one that is being written.
func newPipeline(w *Writer, opts WriterOptions) (*pipeline, error) {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(opts.Level)), zstd.WithEncoderConcurrency(opts.Workers),
		zstd.WithWindowSize(window(opts.PartSize)), zstd.WithLowerEncoderMem(true), zstd.WithSingleSegment(true))
	if err != nil {
		return nil, err
	}
	n := opts.Workers + 2
	p := &pipeline{
		w: w, encoder: encoder, free: make(chan *part, n), work: make(chan *part, n), queue: make(chan *part, n),
	}
	for range n {
		p.free <- &part{done: make(chan struct{}, 1)}
	}
	for range opts.Workers {
		p.ended.Go(p.compress)
	}
	p.ended.Go(p.write)
	return p, nil
}

// window returns the smallest valid window that holds a part. In a frame with a single segment the
// window needs no additional memory.
func window(partSize int) int {
	n := zstd.MinWindowSize
	for n < partSize {
		n *= 2
	}
	return n
}

// take waits for an empty part. It returns an error if the pipeline has failed.
func (p *pipeline) take() (*part, error) {
	part := <-p.free
	part.raw = part.raw[:0]
	if err := p.failure(); err != nil {
		p.free <- part
		return nil, err
	}
	return part, nil
}

// send queues a filled part.
func (p *pipeline) send(part *part) {
	p.queue <- part
	p.work <- part
}

func (p *pipeline) compress() {
	for part := range p.work {
		part.packed = p.encoder.EncodeAll(part.raw, part.packed[:0])
		part.done <- struct{}{}
	}
}

// write writes parts until the queue is closed. After an error it only recycles them.
func (p *pipeline) write() {
	for part := range p.queue {
		<-part.done
		if p.failure() == nil {
			if err := p.put(part); err != nil {
				p.fail(err)
			}
		}
		p.free <- part
	}
}

func (p *pipeline) put(part *part) error {
	s := part.sum
	s.hash.Write(part.raw)
	s.Bytes += int64(len(part.raw))
	s.Stored += int64(len(part.packed))
	if err := p.w.entry(part.entry, part.packed); err != nil {
		return err
	}
	if part.last {
		s.SHA256 = hexSum(s.hash)
		p.w.manifest.Tables = append(p.w.manifest.Tables, s.TableSum)
	}
	return nil
}

// fail records the first error.
func (p *pipeline) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *pipeline) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// close waits until all sent parts are written, and ends the goroutines. It returns the first
// error.
func (p *pipeline) close() error {
	close(p.work)
	close(p.queue)
	p.ended.Wait()
	_ = p.encoder.Close() // EncodeAll leaves nothing to flush
	return p.failure()
}
