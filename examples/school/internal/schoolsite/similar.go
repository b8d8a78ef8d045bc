package schoolsite

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/erp"
)

// similarSQL finds the students with a part of the name that is most similar to the input, by
// trigrams: "okafro" finds "Amara Okafor". The operator is from pg_trgm and is found through the
// search_path. The index returns the rows in its order.
const similarSQL = `select id from students where $1 <<-> (first_name || ' ' || last_name) < 0.6
	order by $1 <<-> (first_name || ' ' || last_name), id limit 5`

// similar returns the students with a similar name that the viewer may see.
func (s *site) similar(ctx context.Context, name string) (students []erp.Student, err error) {
	rows, err := s.DB.Query(ctx, similarSQL, name)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		student, err := erp.NewStudents(s.DB).Get(ctx, id)
		switch {
		case err == nil:
			students = append(students, student)
		case !errors.Is(err, erp.ErrNotFound) && !errors.Is(err, erp.ErrForbidden): // the viewer may not see this student
			return nil, err
		}
	}
	return students, nil
}
