/**
 * Months ahead of the present one that have their partition, so that none has to be made while a caller waits. Not more, since
 * statements that are planned each time are planned over all of them.
 */
export const MONTHS_AHEAD = 2;

export const ENSURE_MONTHS_AHEAD = `select reel_ensure_month(now() + make_interval(months => ahead)) from generate_series(0, ${MONTHS_AHEAD}) ahead`;
