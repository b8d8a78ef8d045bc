package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// survey queries a source at intervals and keeps the last result for scrapes.
type survey struct {
	name     string
	interval time.Duration
	ask      func(ctx context.Context) error // queries the source and stores the result

	running sync.Mutex // held during ask

	mu       sync.Mutex
	last     time.Time     // start of the last run that succeeded; the zero time: none has
	took     time.Duration // duration of that run
	failures int64
}

// surveyState is the exported state of a survey.
type surveyState struct {
	last     time.Time
	took     time.Duration
	failures int64
}

func (s *survey) state() surveyState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return surveyState{s.last, s.took, s.failures}
}

func (s *survey) run(ctx context.Context, timeout time.Duration) error {
	s.running.Lock()
	defer s.running.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begun := time.Now()
	err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failures++
		return fmt.Errorf("survey of %s: %w", s.name, err)
	}
	s.last, s.took = begun, time.Since(begun)
	return nil
}

// Watch sets the sources. Call it once, when they exist; earlier scrapes do not contain their
// metrics. A second call returns [ErrWatching].
func (m *Metrics) Watch(src Sources) error {
	if src.Backups != nil && src.Tenants == nil {
		return errors.New("metrics: Sources.Backups without Tenants")
	}
	w := &watch{src: src}
	add := func(given bool, name string, interval time.Duration, ask func(context.Context) error) {
		if given {
			w.surveys = append(w.surveys, &survey{name: name, interval: interval, ask: ask})
		}
	}
	add(src.Tenants != nil, "tenants", m.cfg.TenantsInterval, w.askTenants)
	add(src.Storage != nil, "storage", m.cfg.StorageInterval, w.askStorage)
	add(src.Migrations != nil, "migrations", m.cfg.MigrationsInterval, w.askMigrations)
	add(src.Backups != nil, "backups", m.cfg.BackupsInterval, w.askBackups)
	if !m.watching.CompareAndSwap(nil, w) {
		return ErrWatching
	}
	return nil
}

// Refresh queries all background sources and waits for them, so that the next scrape is current. If
// a source fails, its previous result is kept. ctx governs the queries. The error joins those of
// the sources.
func (m *Metrics) Refresh(ctx context.Context) error {
	var errs []error
	for _, s := range m.surveys() {
		errs = append(errs, s.run(ctx, m.cfg.SurveyTimeout))
	}
	return errors.Join(errs...)
}

// Run queries the sources of [Metrics.Watch] at their intervals, each on its own, until ctx ends.
// An error is logged and counted; the previous result and its age are still exported.
func (m *Metrics) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range m.surveys() {
		wg.Go(func() { m.repeat(ctx, s) })
	}
}

func (m *Metrics) repeat(ctx context.Context, s *survey) {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.run(ctx, m.cfg.SurveyTimeout); err != nil && ctx.Err() == nil {
			m.cfg.Logger.LogAttrs(
				ctx,
				slog.LevelWarn,
				"metrics are not current",
				slog.String("survey", s.name),
				slog.Any("error", err),
			)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (m *Metrics) surveys() []*survey {
	if w := m.watching.Load(); w != nil {
		return w.surveys
	}
	return nil
}
