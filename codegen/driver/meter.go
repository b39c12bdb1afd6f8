package driver

import "sync"

// meter adds up progress from several goroutines; report may be nil.
type meter struct {
	mu          sync.Mutex
	done, total int64
	report      func(done, total int64)
}

func newMeter(report func(done, total int64)) *meter { return &meter{report: report} }

func (m *meter) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	if m.report != nil {
		m.report(m.done, m.total)
	}
}
