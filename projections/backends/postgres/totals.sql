-- What a reader's rows add up to; {rows} are a select, the rest are columns of it.

-- name: totals
-- What a reader's rows add up to, apart for each value of a column and for what is before a moment.
SELECT {by}, {moment} < %s, count(*), sum({lasting}){sums} FROM ({rows}) AS v GROUP BY 1, 2

-- name: lasting
-- Microseconds between two moments. An interval's seconds are a numeric, so none gets lost.
greatest(0, extract(epoch FROM coalesce({ended}, {last}) - {started}) * 1000000)

-- name: sum_of
-- A column more; a sum of bigints is a numeric, which has room for it.
, sum({value})
