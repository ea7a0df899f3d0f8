import { retryAdvice } from '@cometmq/remoting'
import { ClusterError, refused } from './errors.ts'

export const noMaster = (queue: { brokerName: string }): ClusterError =>
  refused('E_NO_BROKER', `no master of broker ${queue.brokerName}`, 'the route of the topic does not list one')

/** No answer at all, or a code of the retry table (spec remoting, section 2). */
export function mayRetry(error: ClusterError): boolean {
  if (error.brokerCode === undefined) return error.code !== 'E_ABORTED' && error.code !== 'E_OVERLOADED'
  const advice = retryAdvice(error.brokerCode)
  return advice === 'other-broker' || advice === 'refresh-route'
}

/** Whether a newer route may avoid the failure. */
export const isRouteStale = (error: ClusterError): boolean =>
  error.brokerCode === undefined || retryAdvice(error.brokerCode) === 'refresh-route'

/** Not for a refusal of this message, topic or group, which says nothing about the broker's health. */
export const isBrokersFault = (error: ClusterError): boolean =>
  mayRetry(error) && error.code !== 'E_PERMISSION' && error.code !== 'E_TOPIC_NOT_FOUND'

/** The later error; but when an earlier attempt may have stored the message, its outcome stays unknown. */
export function worse(earlier: ClusterError | undefined, later: ClusterError): ClusterError {
  if (earlier?.outcome !== 'unknown' || later.outcome === 'unknown') return later
  return new ClusterError(later.code, later.message, {
    why: `${later.why} (an earlier attempt may have stored it: ${earlier.why})`,
    whatToDo: later.whatToDo,
    outcome: 'unknown',
    ...(later.brokerCode === undefined ? {} : { brokerCode: later.brokerCode }),
    ...(later.address === undefined ? {} : { address: later.address }),
    cause: later,
  })
}
