/**
 * A step that changes or asks something is one activity, cut off after 20 minutes (workflows/lib/activities.ts). Its time limits
 * must fit with room for what else it does: waiting for an earlier deploy, a diagnosis.
 */
export const LONGEST_STEP = '18m';
