-- +goose Up
-- +goose StatementBegin
-- +goose StatementEnd
-- +goose StatementBegin

-- only a comment
-- +goose StatementEnd

-- +goose StatementBegin
/* only; a comment */
-- +goose StatementEnd
;
/* a */;; ;
create table t (id int);;
-- +goose StatementBegin
	
-- +goose StatementEnd
-- +goose Down
drop table t;
